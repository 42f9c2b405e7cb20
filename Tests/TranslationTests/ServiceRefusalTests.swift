import Kubernetes
import Model
import Testing
import Translation

@Suite struct `A harmful claim` {
    private static let reservedAddresses = ["127.0.0.1", "0.0.0.0", "169.254.1.1", "224.0.0.1", "0.1.2.3", "255.255.255.255"]

    @Test(arguments: reservedAddresses) func `is refused, and the rest of the Service is served`(address: String) {
        let service = Service.loadBalancer("web", "10.96.0.10", ingress: [address, "192.0.2.50"], nodePort: 30080).with {
            $0.externalIPs = [address, "50.60.70.81"]
        }
        let cluster = Cluster([service])
        #expect(cluster.bound == ["10.96.0.10", "50.60.70.81", "192.0.2.50"])
        #expect(cluster.endpoints("10.99.0.2:30080/TCP") != nil)
        let reason = "\(address): is unspecified, loopback, link-local, multicast or reserved"
        #expect(cluster.refused == ["spec.externalIPs \(reason)", "status.loadBalancer.ingress \(reason)"])
    }

    @Test(arguments: reservedAddresses) func `to a cluster IP does not affect the other addresses of the Service`(address: String) {
        let cluster = Cluster([.loadBalancer("web", address, ingress: ["192.0.2.50"])])
        #expect(cluster.bound == ["192.0.2.50"])
        #expect(cluster.refused.count == 1)
    }

    @Test(arguments: ["node1", "node2"]) func `to an address of any Node is refused while the Node has it`(node: String) {
        var cluster = Cluster([
            .loadBalancer("web", "10.96.0.10", ingress: ["192.0.2.9"]),
            .clusterIP("ext", "10.96.0.11").with { $0.externalIPs = ["192.0.2.9"] },
        ])
        #expect(cluster.bound == ["10.96.0.10", "10.96.0.11", "192.0.2.9"])
        cluster.set(Node.named(node, addresses: ["192.0.2.9"]), name: node)
        cluster.translate()
        #expect(cluster.bound == ["10.96.0.10", "10.96.0.11"])
        #expect(
            cluster.refused == [
                "spec.externalIPs 192.0.2.9: is an address of a node", "status.loadBalancer.ingress 192.0.2.9: is an address of a node",
            ])
        cluster.set(Node.named(node, addresses: ["192.0.2.10"]), name: node)
        cluster.translate()
        #expect(cluster.bound == ["10.96.0.10", "10.96.0.11", "192.0.2.9"])
        #expect(cluster.refused.isEmpty)
    }

    @Test(arguments: [("node1", true), ("node2", false)])
    func `to a cluster IP is refused only for an address of this node, not of another Node`(node: String, isRefused: Bool) {
        var cluster = Cluster([.clusterIP("dns", "10.96.0.10"), .loadBalancer("web", "10.96.0.11", ingress: ["192.0.2.9"])])
        cluster.set(Node.named(node, addresses: ["10.96.0.10"]), name: node)
        cluster.translate()
        #expect(cluster.bound.contains("10.96.0.10") != isRefused)
        #expect(cluster.refused == (isRefused ? ["spec.clusterIPs 10.96.0.10: is an address of a node"] : []))
    }

    @Test func `to a possible address of another Node waits until all Nodes are known`() throws {
        var cluster = Cluster([.clusterIP("plain", "10.96.0.12", nodePort: 30090)])
        cluster.state.apply(.otherNodes(.pending))
        cluster.set(
            .loadBalancer("web", "10.96.0.10", ingress: ["192.0.2.9", "192.0.2.50"], nodePort: 30080).with {
                $0.externalIPs = ["50.60.70.81"]
            })
        cluster.translate()
        #expect(cluster.bound == ["10.96.0.10", "10.96.0.12"])
        #expect(cluster.endpoints("10.99.0.2:30080/TCP") != nil && cluster.endpoints("192.0.2.50:80/TCP") == nil)
        #expect(cluster.refused.isEmpty, "nothing is wrong with the Service")
        cluster.set(Node.named("node2", addresses: ["192.0.2.9"]), name: "node2")
        cluster.state.apply(.otherNodes(.known))
        let scope = cluster.translate()
        #expect(cluster.bound == ["10.96.0.10", "10.96.0.12", "50.60.70.81", "192.0.2.50"])
        #expect(cluster.refused == ["status.loadBalancer.ingress 192.0.2.9: is an address of a node"])
        let changed = try #require(scope.selection)
        #expect(Set(changed.virtualServers.map(\.location.address.description)) == ["50.60.70.81", "192.0.2.50"])
    }

    @Test func `to an address of another Node is served while the Nodes cannot be listed`() {
        var cluster = Cluster([])
        cluster.state.apply(.otherNodes(.unavailable))
        cluster.set(.loadBalancer("web", "10.96.0.10", ingress: ["192.0.2.9"]))
        cluster.translate()
        #expect(cluster.bound == ["10.96.0.10", "192.0.2.9"])
        cluster.set(Node.named("node2", addresses: ["192.0.2.9"]), name: "node2")
        cluster.state.apply(.otherNodes(.known))
        cluster.translate()
        #expect(cluster.bound == ["10.96.0.10"])
    }

    @Test func `to an address of the API server is refused`() {
        var cluster = Cluster([.loadBalancer("web", "10.96.0.10", ingress: ["192.0.2.9"])])
        cluster.set(.of("kubernetes", [.at("192.0.2.9")]))
        cluster.translate()
        #expect(cluster.bound == ["10.96.0.10"])
        #expect(cluster.refused == ["status.loadBalancer.ingress 192.0.2.9: is an address of the API server"])
        cluster.removeSlice("kubernetes-a")
        cluster.translate()
        #expect(cluster.bound == ["10.96.0.10", "192.0.2.9"])
    }

    @Test func `to a cluster IP on an interface of this node is refused`() {
        let cluster = Cluster([.clusterIP("web", "10.99.0.2")])
        #expect(cluster.servers.isEmpty)
        #expect(cluster.refused == ["spec.clusterIPs 10.99.0.2: is an address of a node"])
    }

    @Test(arguments: [
        ("127.0.0.1", AddressType.ipv4), ("169.254.169.254", .ipv4), ("224.0.0.1", .ipv4), ("::1", .ipv6), ("fe80::1", .ipv6),
        ("255.255.255.255", .ipv4),
    ])
    func `by an endpoint with a loopback or reserved address is refused`(address: String, type: AddressType) {
        let (service, good) = type == .ipv4 ? ("10.96.0.10", "10.244.0.1") : ("fd00:96::10", "fd00:244::1")
        let cluster = Cluster([.clusterIP("web", service)], [.of("web", [.at(address, node: "node1"), .at(good)], type: type)])
        #expect(cluster.translation.desired.virtualServers.values.flatMap(\.realServers.locations).map(\.address.description) == [good])
        #expect(cluster.members(.loopBack, type.family ?? .ipv4).isEmpty)
        #expect(
            cluster.refused == [
                "EndpointSlice default/web-a endpoints.addresses \(address): is unspecified, loopback, link-local, multicast or reserved"
            ])
    }
}
