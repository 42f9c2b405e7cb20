import Kubernetes
import Model
import Testing

@testable import Translation

private func settings(_ kind: ServiceAddresses, _ change: (inout TranslationSettings) -> Void = { _ in }) -> TranslationSettings {
    var settings = TranslationSettings(nodeName: "node1", serviceAddresses: kind)
    change(&settings)
    return settings
}

private let node = Node.named("node1", addresses: ["10.99.0.2", "fd00:99::2"])

private func services(_ count: Int) -> [Service] { (0..<count).map { .clusterIP("s\($0)", "10.96.0.\($0 + 1)") } }

@Suite struct `Service addresses` {
    @Test func `are addresses of the device by default, without anything else that kube-proxy does not have`() {
        let cluster = Cluster(services(2), node: node)
        #expect(cluster.bound == ["10.96.0.1", "10.96.0.2"] && cluster.routed.isEmpty && !cluster.translation.desired.isDeviceUp)
    }

    @Test func `as routes have this node's address as their source, and the device has only the anchor`() {
        var cluster = Cluster(services(1), settings: settings(.route), node: node)
        #expect(cluster.bound == ["127.118.0.1"] && cluster.routed == ["10.96.0.1 src 10.99.0.2"])
        #expect(!cluster.translation.desired.isDeviceUp, "only IPv6 routes require it")
        #expect(cluster.members(.ipvsIPs) == ["10.96.0.1"])
        cluster.set(.clusterIP("six", "fd00:96::1"))
        cluster.translate()
        #expect(cluster.routed == ["10.96.0.1 src 10.99.0.2", "fd00:96::1 src fd00:99::2"] && cluster.translation.desired.isDeviceUp)
        cluster.remove("six")
        cluster.translate()
        #expect(!cluster.translation.desired.isDeviceUp)
    }

    /// The addresses of the node's Node object, those on its interfaces, and the source.
    @Test(
        arguments: [
            ([], ["10.99.0.2"], nil), (["10.99.0.2"], [], nil), (["10.99.0.3"], ["10.99.0.2"], nil),
            (["10.99.0.3", "10.99.0.2"], ["10.99.0.2", "10.99.0.3"], "10.99.0.3"), (["127.0.0.1"], ["127.0.0.1", "10.99.0.2"], nil),
        ] as [([String], [String], String?)])
    func `as routes have a source only if an interface has the address of the Node object`(_ example: ([String], [String], String?)) {
        let cluster = Cluster(services(1), settings: settings(.route), local: example.1, node: .named("node1", addresses: example.0))
        #expect(cluster.routed == ["10.96.0.1\(example.2.map { " src \($0)" } ?? "")"])
    }

    @Test func `follow the node's address`() {
        var cluster = Cluster(services(2), settings: settings(.route), node: node)
        cluster.localAddresses = []
        #expect(cluster.translate().selection?.addresses.count == 2)
        #expect(cluster.routed == ["10.96.0.1", "10.96.0.2"])
        cluster.localAddresses = [IPAddress(v4: 0x0a63_0002)]
        #expect(cluster.translate().selection?.addresses.count == 2)
        #expect(cluster.routed == ["10.96.0.1 src 10.99.0.2", "10.96.0.2 src 10.99.0.2"])
        #expect(cluster.translate().selection?.addresses.isEmpty == true)
    }

    @Test func `as routes have a tentative address of the node as their source only once it is no longer tentative`() throws {
        var cluster = Cluster([.clusterIP("six", "fd00:96::1")], settings: settings(.route), local: [], node: node)
        let address = try #require(IPAddress("fd00:99::2"))
        (cluster.localAddresses, cluster.tentativeAddresses) = ([address], [address])
        cluster.translate()
        #expect(cluster.routed == ["fd00:96::1"])
        cluster.tentativeAddresses = []
        cluster.translate()
        #expect(cluster.routed == ["fd00:96::1 src fd00:99::2"])
    }

    @Test func `that another interface has are neither bound nor routed`() {
        let cluster = Cluster(services(2), settings: settings(.route), local: ["10.99.0.2", "10.96.0.2"], node: node)
        #expect(cluster.routed == ["10.96.0.1 src 10.99.0.2"])
    }

    @Test func `belong to the older of two Services, and then to the other one`() {
        let (old, young) = (
            Service.clusterIP("b", "10.96.0.1", created: "2026-01-01T00:00:00Z"),
            Service.clusterIP("a", "10.96.0.1", port: 81, created: "2026-01-02T00:00:00Z")
        )
        var cluster = Cluster([young, old], settings: settings(.route), node: node)
        func holder() -> String? { cluster.translation.desired.routes.first?.value.origin?.service.name }
        #expect(holder() == "b")
        cluster.remove("b")
        cluster.translate()
        #expect(holder() == "a")
    }

    @Test func `become routes above the limit, and addresses again below half of it`() {
        var cluster = Cluster(services(4), settings: settings(.auto(limit: 4)), node: node)
        #expect(cluster.bound.count == 4 && cluster.routed.isEmpty)
        cluster.set(.clusterIP("more", "10.96.0.100"))
        #expect(cluster.translate().selection?.addresses.count == 6, "five addresses and the anchor")
        #expect(cluster.bound == ["127.118.0.1"] && cluster.routed.count == 5)
        for number in 0..<3 { cluster.remove("s\(number)") }
        cluster.translate()
        #expect(cluster.bound == ["127.118.0.1"] && cluster.routed == ["10.96.0.4 src 10.99.0.2", "10.96.0.100 src 10.99.0.2"])
        cluster.remove("more")
        cluster.translate()
        #expect(cluster.bound == ["10.96.0.4"] && cluster.routed.isEmpty)
    }

    @Test func `without IPv4 need no anchor`() {
        let cluster = Cluster([.clusterIP("six", "fd00:96::1")], settings: settings(.route) { $0.families = [.ipv6] }, node: node)
        #expect(cluster.bound.isEmpty && cluster.routed == ["fd00:96::1 src fd00:99::2"])
    }
}

@Suite struct `Rules for the node's own connections, which have its address as their source` {
    @Test func `close a load balancer to the node`() {
        let service = Service.loadBalancer("lb", "10.96.0.10", ingress: ["192.0.2.50"], ranges: ["203.0.113.0/24"])
        func rules(_ kind: ServiceAddresses) -> [String] {
            Cluster([service], settings: settings(kind), node: node).rules(.filter, "KUBE-IPVS-OUT-FILTER")
        }
        #expect(rules(.address) == ["-s 192.0.2.50/32 -m ipvs --vproto 6 --vaddr 192.0.2.50 --vport 80 -j DROP"])
        // Both, so that a change to addresses removes a rule only after all addresses have changed.
        #expect(
            rules(.route) == rules(.address) + ["-m addrtype --src-type LOCAL -m ipvs --vproto 6 --vaddr 192.0.2.50 --vport 80 -j DROP"])
    }

    @Test func `masquerade them if local traffic cannot be detected, as with addresses`() {
        func marks(_ kind: ServiceAddresses, _ match: String) -> Bool {
            Cluster(services(1), settings: settings(kind), node: node).rules(.nat, "KUBE-SERVICES").contains {
                $0.contains("--match-set KUBE-CLUSTER-IP \(match) -j KUBE-MARK-MASQ")
            }
        }
        #expect(marks(.address, "src,dst") && !marks(.address, "dst,dst -m addrtype --src-type LOCAL"))
        #expect(marks(.route, "src,dst") && marks(.route, "dst,dst -m addrtype --src-type LOCAL"))
    }
}
