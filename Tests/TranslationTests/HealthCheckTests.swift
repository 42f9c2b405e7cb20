import Kubernetes
import Model
import Testing
import Translation

private let webName = NamespacedName(namespace: "default", name: "web")

private func balanced(_ port: UInt16, _ name: String = "web", policy: TrafficPolicy = .local) -> Service {
    .loadBalancer(name, "10.96.0.10", ingress: ["192.0.2.50"], policy: policy, healthCheckNodePort: port)
}

@Suite struct `Health checks of load balancers` {
    private func ports(_ cluster: Cluster) -> [UInt16] { cluster.translation.healthChecks.values.map(\.port).sorted() }
    private func count(_ cluster: Cluster, _ family: IPFamily = .ipv4) -> Int? {
        cluster.translation.healthChecks[webName]?.localEndpoints[family]
    }

    @Test func `A9.1 exist only for load balancers with externalTrafficPolicy Local`() {
        let cluster = Cluster([balanced(30000, "a"), balanced(30001, "b"), balanced(30002, "c", policy: .cluster)])
        #expect(ports(cluster) == [30000, 30001])
        #expect(cluster.members(.healthCheckNodePort) == ["30000", "30001"])
    }

    @Test func `A9.2 follow changes and deletion of the Service`() {
        var cluster = Cluster([balanced(30000)])
        #expect(ports(cluster) == [30000])
        cluster.set(balanced(30001))
        cluster.translate()
        #expect(ports(cluster) == [30001] && cluster.members(.healthCheckNodePort) == ["30001"])
        cluster.set(balanced(30001, policy: .cluster))
        cluster.translate()
        #expect(ports(cluster) == [] && cluster.members(.healthCheckNodePort) == [])
        cluster.set(balanced(30001))
        cluster.translate()
        cluster.remove("web")
        cluster.translate()
        #expect(ports(cluster) == [])
    }

    @Test func `A9.3 count the ready endpoints of this node, and no terminating ones`() {
        var cluster = Cluster(
            [balanced(30000)],
            [.of("web", [.at("10.244.0.1", node: "node1"), .at("10.244.0.2", node: "node1"), .at("10.244.1.1", node: "node2")])])
        #expect(count(cluster) == 2)
        cluster.set(
            .of("web", [.terminating("10.244.0.1", serving: true, node: "node1"), .at("10.244.0.2", ready: false, node: "node1")]))
        cluster.translate()
        #expect(count(cluster) == 0)
    }

    @Test func `count an address once regardless of its ports, and each family separately`() {
        let service = balanced(30000).with {
            $0.clusterIPs = ["10.96.0.10", "fd00:96::10"]
            $0.ipFamilies = [.ipv4, .ipv6]
            $0.ports.append(ServicePort(name: "q", port: 81))
        }
        let cluster = Cluster(
            [service],
            [
                .of("web", [.at("10.244.0.1", node: "node1")]), .of("web", [.at("10.244.0.1", node: "node1")], name: "b", portName: "q"),
                .of("web", [.at("10.244.0.2", node: "node1")], name: "c", portName: "q"),
                .of("web", [.at("fd00:244::1", node: "node2")], name: "d", type: .ipv6),
            ])
        #expect(count(cluster) == 2 && count(cluster, .ipv6) == 0)
    }

    @Test func `listen on all addresses, or on the node port addresses including loopback`() {
        func addresses(_ choice: NodePortAddresses, node: Node? = nil) -> [IPFamily: HealthCheckAddresses] {
            var settings = TranslationSettings(nodeName: "node1")
            settings.nodePortAddresses = choice
            return Cluster([], settings: settings, local: ["127.0.0.1", "::1", "10.99.0.2", "fd00:99::2"], node: node).translation
                .healthCheckAddresses
        }
        let (v4, v6) = (IPAddress("10.99.0.2")!, IPAddress("fd00:99::2")!)
        #expect(addresses(.all) == [.ipv4: .all, .ipv6: .all])
        #expect(addresses(.ranges([CIDR("127.0.0.0/8")!])) == [.ipv4: .only([IPAddress("127.0.0.1")!]), .ipv6: .all])
        #expect(addresses(.ranges([CIDR("10.0.0.0/8")!, CIDR("fd00::/8")!])) == [.ipv4: .only([v4]), .ipv6: .only([v6])])
        #expect(addresses(.primary) == [.ipv4: .only([]), .ipv6: .only([])])
        #expect(addresses(.primary, node: .named(addresses: ["10.99.0.2"])) == [.ipv4: .only([v4]), .ipv6: .only([])])
    }
}

@Suite struct `A17 Services without endpoints on this node` {
    private func counts(_ internalPolicy: TrafficPolicy, _ external: TrafficPolicy, _ endpoints: [Endpoint]) -> [Int] {
        let service = balanced(30000, policy: external).with { $0.internalTrafficPolicy = internalPolicy }
        let cluster = Cluster([service], [.of("web", endpoints)])
        return NoLocalEndpoints.Policy.allCases.map { cluster.translation.noLocalEndpoints[.init($0, .ipv4)] ?? 0 }
    }

    @Test(arguments: [(TrafficPolicy.local, TrafficPolicy.cluster), (.cluster, .local), (.local, .local)])
    func `do not include those with an endpoint on this node`(policies: (TrafficPolicy, TrafficPolicy)) {
        #expect(counts(policies.0, policies.1, [.at("10.244.0.1", node: "node1"), .at("10.244.1.1", node: "node2")]) == [0, 0])
    }

    @Test func `are counted by policy if all endpoints are on other nodes`() {
        let elsewhere = [Endpoint.at("10.244.1.1", node: "node2")]
        #expect(counts(.local, .cluster, elsewhere) == [1, 0])
        #expect(counts(.cluster, .local, elsewhere) == [0, 1])
        #expect(counts(.local, .local, elsewhere) == [1, 1])
    }

    @Test func `are not counted if there is no endpoint at all`() { #expect(counts(.local, .local, []) == [0, 0]) }

    @Test func `are counted per Service, not per port, and removed with it`() {
        let service = balanced(30000).with { $0.ports.append(ServicePort(name: "q", port: 81)) }
        var cluster = Cluster(
            [service],
            [.of("web", [.at("10.244.1.1", node: "node2")]), .of("web", [.at("10.244.1.1", node: "node2")], name: "b", portName: "q")])
        #expect(cluster.translation.noLocalEndpoints[.init(.external, .ipv4)] == 1)
        cluster.remove("web")
        cluster.translate()
        #expect(cluster.translation.noLocalEndpoints[.init(.external, .ipv4)] == 0)
    }
}
