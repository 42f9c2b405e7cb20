import Kubernetes
import Model
import Testing

@testable import Translation

@Suite struct `A Service` {
    @Test func `becomes a virtual server with its ready endpoints`() {
        var cluster = Cluster()
        cluster.set(.clusterIP("web", "10.96.0.10"))
        cluster.set(.of("web", [.at("10.244.0.1"), .at("10.244.0.2", ready: false), .at("10.244.0.3", ready: true)]))
        cluster.translate()
        #expect(cluster.servers == ["10.96.0.10:80/TCP [10.244.0.1:8080 10.244.0.3:8080]"])
        #expect(cluster.members(.clusterIP) == ["10.96.0.10,tcp:80"])
        #expect(cluster.members(.ipvsIPs) == ["10.96.0.10"])
    }

    @Test func `without endpoints has a virtual server without real servers`() {
        var cluster = Cluster()
        cluster.set(.clusterIP("web", "10.96.0.10"))
        cluster.translate()
        #expect(cluster.servers == ["10.96.0.10:80/TCP []"])
    }

    @Test func `with a node port has a virtual server on each address of the node`() {
        var cluster = Cluster(local: ["10.99.0.2", "10.99.0.3", "127.0.0.1", "fd00:99::2", "fe80::1"])
        cluster.set(.clusterIP("web", "10.96.0.10", nodePort: 30080))
        cluster.set(.of("web", [.at("10.244.0.1")]))
        cluster.translate()
        #expect(
            cluster.servers == [
                "10.96.0.10:80/TCP [10.244.0.1:8080]", "10.99.0.2:30080/TCP [10.244.0.1:8080]", "10.99.0.3:30080/TCP [10.244.0.1:8080]",
            ])
        #expect(cluster.members(.nodePortTCP) == ["30080"])
    }

    @Test func `with an SCTP node port has address and port in its set`() {
        var cluster = Cluster(local: ["10.99.0.2", "10.99.0.3"])
        cluster.set(.clusterIP("web", "10.96.0.10", nodePort: 30080, transport: .sctp))
        cluster.translate()
        #expect(cluster.members(.nodePortSCTP) == ["10.99.0.2,sctp:30080", "10.99.0.3,sctp:30080"])
        #expect(cluster.members(.nodePortTCP) == [])
    }

    @Test(arguments: [
        Service(
            metadata: ObjectMeta(name: "h", namespace: "default"), clusterIP: "None", clusterIPs: ["None"], ports: [ServicePort(port: 80)]),
        Service(
            metadata: ObjectMeta(name: "e", namespace: "default"), type: .externalName, clusterIP: "10.96.0.5",
            ports: [ServicePort(port: 80)]),
        Service(metadata: ObjectMeta(name: "n", namespace: "default"), clusterIP: "", ports: [ServicePort(port: 80)]),
        Service(metadata: ObjectMeta(name: "b", namespace: "default"), clusterIP: "nonsense", ports: [ServicePort(port: 80)]),
        Service.clusterIP("p", "10.96.0.6", labels: ["service.kubernetes.io/service-proxy-name": "other"]),
    ])
    func `that is headless, external, without address or for another proxy has no virtual server`(service: Service) {
        var cluster = Cluster()
        cluster.set(service)
        cluster.translate()
        #expect(cluster.servers == [])
    }

    @Test func `of two families has a virtual server in each, with the endpoints of each`() {
        var cluster = Cluster()
        var service = Service.clusterIP("web", "fd00:96::10")
        service.clusterIPs = ["fd00:96::10", "10.96.0.10"]
        service.ipFamilies = [.ipv6, .ipv4]
        cluster.set(service)
        cluster.set(.of("web", [.at("10.244.0.1")], name: "four"))
        cluster.set(.of("web", [.at("fd00:244::1")], name: "six", type: .ipv6))
        cluster.translate()
        #expect(cluster.servers == ["10.96.0.10:80/TCP [10.244.0.1:8080]", "[fd00:96::10]:80/TCP [[fd00:244::1]:8080]"])
        #expect(cluster.members(.clusterIP, .ipv6) == ["fd00:96::10,tcp:80"])
    }

    @Test func `in a family that this node does not support is skipped`() {
        var cluster = Cluster(TranslationSettings(nodeName: "node1", families: [.ipv4]))
        cluster.set(.clusterIP("six", "fd00:96::10"))
        cluster.translate()
        #expect(cluster.servers == [])
    }

    @Test func `with affinity has a persistent virtual server with its timeout`() throws {
        var cluster = Cluster()
        var service = Service.clusterIP("web", "10.96.0.10")
        service.sessionAffinity = .clientIP
        cluster.set(service)
        cluster.translate()
        let server = try #require(cluster.translation.desired.virtualServers.values.first)
        #expect(server.flags == .persistent && server.timeout == 10800)
    }

    @Test(arguments: [("mh", VirtualServer.Flags([.hashFallback, .hashPort])), ("sh", .hashFallback), ("rr", VirtualServer.Flags())])
    func `with a hash scheduler has the fallback flag`(scheduler: String, flags: VirtualServer.Flags) throws {
        var cluster = Cluster(TranslationSettings(nodeName: "node1", scheduler: try #require(Scheduler(scheduler))))
        cluster.set(.clusterIP("web", "10.96.0.10"))
        cluster.translate()
        #expect(cluster.translation.desired.virtualServers.values.map(\.flags) == [flags])
    }
}

@Suite struct `Endpoints of a Service` {
    private func servers(_ slices: EndpointSlice...) -> [String] {
        var cluster = Cluster()
        cluster.set(.clusterIP("web", "10.96.0.10"))
        slices.forEach { cluster.set($0) }
        cluster.translate()
        return cluster.servers
    }

    @Test func `that serve while terminating are used if none is ready`() {
        let slice = EndpointSlice.of(
            "web",
            [
                .at("10.244.0.1", ready: false, serving: true, terminating: true),
                .at("10.244.0.2", ready: false, serving: false, terminating: true),
                .at("10.244.0.3", ready: false, serving: true, terminating: false),
            ])
        #expect(servers(slice) == ["10.96.0.10:80/TCP [10.244.0.1:8080]"])
    }

    @Test func `that are terminating are not used while one is ready`() {
        let slice = EndpointSlice.of("web", [.at("10.244.0.1", ready: false, serving: true, terminating: true), .at("10.244.0.2")])
        #expect(servers(slice) == ["10.96.0.10:80/TCP [10.244.0.2:8080]"])
    }

    @Test func `are the union of all slices; a non-terminating copy takes precedence`() {
        let ready = EndpointSlice.of("web", [.at("10.244.0.1"), .at("10.244.0.2")], name: "a")
        let terminating = EndpointSlice.of(
            "web", [.at("10.244.0.2", ready: false, serving: true, terminating: true), .at("10.244.0.3")], name: "b")
        #expect(servers(ready, terminating) == ["10.96.0.10:80/TCP [10.244.0.1:8080 10.244.0.2:8080 10.244.0.3:8080]"])
    }

    @Test func `of another port name, protocol or family, or without a port, are not used`() {
        #expect(
            servers(
                .of("web", [.at("10.244.0.1")], name: "a", portName: "q"), .of("web", [.at("10.244.0.2")], name: "b", transport: .udp),
                .of("web", [.at("fd00::1")], name: "c", type: .ipv6), .of("web", [.at("10.244.0.4")], name: "d", port: nil),
                .of("web", [.at("10.244.0.5")], name: "e", portName: nil),
                .of("web", [Endpoint(addresses: [])], name: "f"),
                .of("web", [.at("10.244.0.6")], name: "g", labels: ["service.kubernetes.io/headless": ""])) == ["10.96.0.10:80/TCP []"])
    }

    @Test func `on this node are in the hairpin set, whatever their state`() {
        var cluster = Cluster()
        cluster.set(.clusterIP("web", "10.96.0.10"))
        cluster.set(
            .of(
                "web", [.at("10.244.0.1", node: "node1"), .at("10.244.0.2", ready: false, node: "node1"), .at("10.244.0.3", node: "node2")])
        )
        cluster.translate()
        #expect(cluster.members(.loopBack) == ["10.244.0.1,tcp:8080,10.244.0.1", "10.244.0.2,tcp:8080,10.244.0.2"])
    }
}

@Suite struct `A claim of two Services` {
    @Test func `to the same address and port is won by the older one until it is deleted`() {
        var cluster = Cluster()
        cluster.set(.clusterIP("young", "10.96.0.10", created: "2026-02-01T00:00:00Z"))
        cluster.set(.of("young", [.at("10.244.0.1")]))
        cluster.translate()
        cluster.set(.clusterIP("old", "10.96.0.10", created: "2026-01-01T00:00:00Z"))
        cluster.set(.of("old", [.at("10.244.0.2")]))
        cluster.translate()
        #expect(cluster.servers == ["10.96.0.10:80/TCP [10.244.0.2:8080]"])
        #expect(cluster.translation.conflicts.keys.map(\.name) == ["young"])
        cluster.remove("old")
        cluster.translate()
        #expect(cluster.servers == ["10.96.0.10:80/TCP [10.244.0.1:8080]"])
        #expect(cluster.translation.conflicts.isEmpty)
    }

    @Test func `to the same hairpin member is kept until the last one is deleted`() {
        var cluster = Cluster()
        for name in ["a", "b"] {
            cluster.set(.clusterIP(name, name == "a" ? "10.96.0.1" : "10.96.0.2"))
            cluster.set(.of(name, [.at("10.244.0.1", node: "node1")]))
        }
        cluster.translate()
        cluster.remove("a")
        cluster.translate()
        #expect(cluster.members(.loopBack) == ["10.244.0.1,tcp:8080,10.244.0.1"])
        cluster.remove("b")
        cluster.translate()
        #expect(cluster.members(.loopBack) == [])
    }
}

@Suite struct `Node port addresses` {
    private let local = Set(
        ["10.99.0.2", "10.98.0.2", "169.254.1.1", "127.0.0.1", "fd00:99::2", "fe80::1", "::1"].compactMap { IPAddress($0) })

    private func addresses(_ choice: NodePortAddresses, _ family: IPFamily, primary: [String] = []) -> [String] {
        choice.addresses(family, local: local, primary: primary.compactMap { IPAddress($0) }).map(\.description)
    }

    private func ranges(_ texts: String...) -> NodePortAddresses { .ranges(texts.compactMap { CIDR($0) }) }

    @Test func `are all but loopback and IPv6 link-local by default`() {
        #expect(addresses(.all, .ipv4) == ["10.98.0.2", "10.99.0.2", "169.254.1.1"])
        #expect(addresses(.all, .ipv6) == ["fd00:99::2"])
    }

    @Test func `are those in the ranges of their family, or all if the family has none`() {
        #expect(addresses(ranges("10.99.0.0/16"), .ipv4) == ["10.99.0.2"])
        #expect(addresses(ranges("10.99.0.0/16"), .ipv6) == ["fd00:99::2"])
        #expect(addresses(ranges("10.99.0.0/16", "0.0.0.0/0"), .ipv4).count == 3)
        #expect(addresses(ranges("127.0.0.0/8"), .ipv4) == [])
    }

    /// Ranges, and the number of addresses that they select in each family.
    @Test(
        arguments: [
            ([], 3, 1), (["10.99.0.2/32"], 1, 1), (["10.99.0.0/16", "10.98.0.0/16"], 2, 1), (["172.16.0.0/12", "192.168.0.0/16"], 0, 1),
            (["0.0.0.0/0"], 3, 1), (["10.99.0.0/16", "0.0.0.0/0"], 3, 1), (["127.0.0.1/32"], 0, 1), (["::1/128"], 3, 0),
            (["fd00::/16", "::1/128"], 3, 1), (["::/0"], 3, 1), (["10.99.0.0/16", "fd00:98::/32"], 1, 0), (["fe80::/10"], 3, 1),
        ] as [([String], Int, Int)])
    func `are selected separately by family`(texts: [String], four: Int, six: Int) {
        let choice = NodePortAddresses.ranges(texts.compactMap { CIDR($0) })
        #expect(addresses(choice, .ipv4).count == four)
        #expect(addresses(choice, .ipv6).count == six)
    }

    @Test func `are those of the Node object with primary, and none until it is known`() {
        #expect(addresses(.primary, .ipv4, primary: ["10.99.0.2", "fd00:99::2"]) == ["10.99.0.2"])
        #expect(addresses(.primary, .ipv4) == [])
    }
}

@Suite struct `Ownership of a virtual server` {
    private func server(_ location: String, _ port: UInt16, _ transport: Transport = .tcp) -> VirtualServer {
        VirtualServer(.init(transport, AddressPort(IPAddress(location) ?? IPAddress(v4: 0), port)))
    }

    private var left: NodeState {
        var cluster = Cluster()
        cluster.set(.clusterIP("web", "10.96.0.10", nodePort: 30080))
        cluster.translate()
        return cluster.translation.desired
    }

    @Test func `is derived from the addresses and sets of an earlier run`() {
        let ownership = Ownership(observed: left, localAddresses: [IPAddress("10.99.0.2") ?? IPAddress(v4: 0)], excluded: [])
        #expect(ownership.isOurs(server("10.96.0.10", 80)))
        #expect(ownership.isOurs(server("10.96.0.10", 81)))
        #expect(ownership.isOurs(server("10.99.0.2", 30080)))
    }

    @Test func `is not claimed for virtual servers of others`() {
        let ownership = Ownership(observed: left, localAddresses: [IPAddress("10.99.0.2") ?? IPAddress(v4: 0)], excluded: [])
        #expect(!ownership.isOurs(server("192.0.2.1", 80)))
        #expect(!ownership.isOurs(server("10.99.0.2", 8080)))
        #expect(!ownership.isOurs(server("10.99.0.2", 30080, .udp)))
        #expect(!ownership.isOurs(server("192.0.2.1", 30080)))
    }

    @Test func `excludes the ranges that the operator configures`() throws {
        let ownership = Ownership(observed: left, localAddresses: [], excluded: [try #require(CIDR("10.96.0.0/16"))])
        #expect(!ownership.isOurs(server("10.96.0.10", 80)))
    }
}
