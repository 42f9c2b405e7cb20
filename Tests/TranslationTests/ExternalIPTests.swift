import Kubernetes
import Model
import Testing
import Translation

private func service(_ name: String = "web", _ address: String = "10.96.0.10", _ externalIPs: String..., policy: TrafficPolicy = .cluster)
    -> Service
{
    Service.clusterIP(name, address).with {
        $0.externalIPs = externalIPs
        $0.externalTrafficPolicy = policy
    }
}

private let endpoints = [EndpointSlice.of("web", [.at("10.244.0.1", node: "node1"), .at("10.244.1.1", node: "node2")])]

@Suite struct `An external IP` {
    @Test func `has a virtual server with or without endpoints`() {
        var cluster = Cluster([service("web", "10.96.0.10", "50.60.70.81")])
        #expect(cluster.servers == ["10.96.0.10:80/TCP []", "50.60.70.81:80/TCP []"])
        cluster.set(endpoints[0])
        cluster.translate()
        #expect(cluster.endpoints("50.60.70.81:80/TCP") == ["10.244.0.1", "10.244.1.1"])
        #expect(cluster.members(.externalIP) == ["50.60.70.81,tcp:80"])
        #expect(cluster.members(.externalIPLocal).isEmpty)
        #expect(cluster.bound == ["10.96.0.10", "50.60.70.81"])
        #expect(
            cluster.targets(.nat, "KUBE-SERVICES") == [
                "RETURN", "KUBE-MARK-MASQ(KUBE-CLUSTER-IP)", "KUBE-MARK-MASQ(KUBE-EXTERNAL-IP)", "ACCEPT(KUBE-EXTERNAL-IP)",
                "ACCEPT(KUBE-EXTERNAL-IP)", "KUBE-NODE-PORT", "ACCEPT(KUBE-CLUSTER-IP)",
            ])
    }

    @Test func `is served once, in its family, if it is valid`() {
        let cluster = Cluster([service("web", "10.96.0.10", "50.60.70.81", "2012::51", "050.060.070.081", "", "nonsense")])
        #expect(cluster.bound == ["10.96.0.10", "50.60.70.81"])
        #expect(cluster.refused.isEmpty)
    }

    @Test(arguments: [ServiceType.clusterIP, .nodePort, .loadBalancer])
    func `with the Local policy has only the endpoints of this node`(type: ServiceType) {
        let cluster = Cluster([service("web", "10.96.0.10", "50.60.70.81", policy: .local).with { $0.type = type }], endpoints)
        #expect(cluster.endpoints("50.60.70.81:80/TCP") == ["10.244.0.1"])
        #expect(cluster.endpoints("10.96.0.10:80/TCP") == ["10.244.0.1", "10.244.1.1"])
        #expect(cluster.members(.externalIPLocal) == ["50.60.70.81,tcp:80"])
        #expect(cluster.members(.externalIP).isEmpty)
    }

    @Test func `that another interface has is served but not bound while the interface has it`() {
        var cluster = Cluster([service("web", "10.96.0.10", "50.60.70.81")], endpoints, local: ["10.99.0.2", "50.60.70.81"])
        #expect(cluster.endpoints("50.60.70.81:80/TCP")?.count == 2)
        #expect(cluster.members(.externalIP) == ["50.60.70.81,tcp:80"])
        #expect(cluster.bound == ["10.96.0.10"])
        #expect(cluster.members(.ipvsIPs) == ["10.96.0.10"])
        cluster.localAddresses.remove(IPAddress("50.60.70.81")!)
        cluster.translate()
        #expect(cluster.bound == ["10.96.0.10", "50.60.70.81"])
        cluster.localAddresses.insert(IPAddress("50.60.70.81")!)
        cluster.translate()
        #expect(cluster.bound == ["10.96.0.10"])
    }

    @Test func `that two Services share is kept until the last one is deleted`() {
        var cluster = Cluster([
            service("a", "10.96.0.1", "50.60.70.81"), service("b", "10.96.0.2", "50.60.70.81").with { $0.ports[0].port = 81 },
        ])
        #expect(cluster.members(.externalIP) == ["50.60.70.81,tcp:80", "50.60.70.81,tcp:81"])
        #expect(cluster.translation.conflicts.isEmpty)
        cluster.remove("a")
        cluster.translate()
        #expect(cluster.bound == ["10.96.0.2", "50.60.70.81"])
        #expect(cluster.members(.ipvsIPs) == ["10.96.0.2", "50.60.70.81"])
        cluster.remove("b")
        cluster.translate()
        #expect(cluster.bound.isEmpty && cluster.members(.ipvsIPs).isEmpty && cluster.servers.isEmpty)
    }

    @Test func `has session affinity like every other address of the Service`() {
        let cluster = Cluster([
            service("web", "10.96.0.10", "50.60.70.81").with {
                $0.sessionAffinity = .clientIP
                $0.ports[0].nodePort = 30080
                $0.loadBalancerIngress = [LoadBalancerIngress(ip: "192.0.2.50")]
            }
        ])
        let servers = cluster.translation.desired.virtualServers.values
        #expect(servers.count == 4)
        #expect(servers.allSatisfy { $0.flags == .persistent && $0.timeout == 10800 })
    }

    @Test func `is served only if the operator allows it`() throws {
        let allowed = TranslationSettings(nodeName: "node1", externalIPRanges: [try #require(CIDR("198.51.100.0/24"))])
        let web = service("web", "10.96.0.10", "198.51.100.7", "50.60.70.81")
        let some = Cluster([web], settings: allowed)
        #expect(some.bound == ["10.96.0.10", "198.51.100.7"])
        #expect(
            some.refused == ["spec.externalIPs 50.60.70.81: is not allowed by --external-ip-cidrs or feature gate AllowServiceExternalIPs"])
        let none = Cluster([web], settings: TranslationSettings(nodeName: "node1", allowsExternalIPs: false))
        #expect(none.bound == ["10.96.0.10"])
        #expect(none.refused.count == 2)
    }
}
