import Kubernetes
import Model
import Testing
import Translation

private let endpoints = [EndpointSlice.of("lb", [.at("10.244.0.1", node: "node1"), .at("10.244.1.1", node: "node2")])]

@Suite struct `A load balancer's IP` {
    @Test func `has a virtual server, is bound, and is masqueraded`() {
        let cluster = Cluster([.loadBalancer("lb", "10.96.0.10", ingress: ["192.0.2.50"])], endpoints, local: [])
        #expect(
            cluster.servers == [
                "10.96.0.10:80/TCP [10.244.0.1:8080 10.244.1.1:8080]", "192.0.2.50:80/TCP [10.244.0.1:8080 10.244.1.1:8080]",
            ])
        #expect(cluster.bound == ["10.96.0.10", "192.0.2.50"])
        #expect(cluster.members(.ipvsIPs) == ["10.96.0.10", "192.0.2.50"])
        #expect(cluster.members(.loadBalancer) == ["192.0.2.50,tcp:80"])
        #expect(cluster.members(.loadBalancerLocal).isEmpty && cluster.members(.loadBalancerFirewall).isEmpty)
        #expect(
            cluster.targets(.nat, "KUBE-SERVICES") == [
                "RETURN", "KUBE-LOAD-BALANCER(KUBE-LOAD-BALANCER)", "KUBE-MARK-MASQ(KUBE-CLUSTER-IP)", "KUBE-NODE-PORT",
                "ACCEPT(KUBE-CLUSTER-IP)", "ACCEPT(KUBE-LOAD-BALANCER)",
            ])
        #expect(cluster.targets(.nat, "KUBE-LOAD-BALANCER") == ["KUBE-MARK-MASQ"])
    }

    @Test func `with the Local policy has the endpoints of this node, which see the client's address`() {
        let cluster = Cluster([.loadBalancer("lb", "10.96.0.10", ingress: ["192.0.2.50"], policy: .local)], endpoints)
        #expect(cluster.endpoints("192.0.2.50:80/TCP") == ["10.244.0.1"])
        #expect(cluster.endpoints("10.96.0.10:80/TCP") == ["10.244.0.1", "10.244.1.1"])
        #expect(cluster.members(.loadBalancer) == ["192.0.2.50,tcp:80"])
        #expect(cluster.members(.loadBalancerLocal) == ["192.0.2.50,tcp:80"])
        #expect(cluster.targets(.nat, "KUBE-LOAD-BALANCER") == ["RETURN(KUBE-LOAD-BALANCER-LOCAL)", "KUBE-MARK-MASQ"])
    }

    @Test(arguments: [(nil, true), ("VIP", true), ("Proxy", false), ("Later", false)] as [(String?, Bool)])
    func `is served only with ipMode VIP or none`(mode: String?, isServed: Bool) {
        let service = Service.loadBalancer("lb", "10.96.0.10", ingress: []).with {
            $0.loadBalancerIngress = [LoadBalancerIngress(ip: "192.0.2.50", ipMode: mode), LoadBalancerIngress(ip: "")]
        }
        #expect(Cluster([service]).bound == ["10.96.0.10"] + (isServed ? ["192.0.2.50"] : []))
    }

    @Test func `is served in its family, on every port, for any type of Service`() {
        let service = Service.clusterIP("lb", "10.96.0.10").with {
            $0.loadBalancerIngress = ["192.0.2.50", "2001:db8::50"].map { LoadBalancerIngress(ip: $0) }
            $0.ports.append(ServicePort(name: "q", transport: .udp, port: 53))
        }
        let cluster = Cluster([service])
        #expect(cluster.members(.loadBalancer) == ["192.0.2.50,tcp:80", "192.0.2.50,udp:53"])
        #expect(cluster.members(.loadBalancer, .ipv6).isEmpty)
    }
}

@Suite struct `Source ranges of a load balancer` {
    private func cluster(
        _ ranges: [String], ingress: [String] = ["192.0.2.50"], node: [String] = [], clusterIP: String = "10.96.0.10"
    ) -> Cluster {
        Cluster(
            [.loadBalancer("lb", clusterIP, ingress: ingress, ranges: ranges)], endpoints, node: .named(addresses: node))
    }

    @Test func `accept the clients they contain and drop all others, including this node`() {
        let cluster = cluster(["10.0.0.0/8", " 203.0.113.7/24\t"], node: ["192.0.2.1"])
        #expect(cluster.members(.loadBalancerFirewall) == ["192.0.2.50,tcp:80"])
        #expect(cluster.members(.loadBalancerSourceCIDR) == ["192.0.2.50,tcp:80,10.0.0.0/8", "192.0.2.50,tcp:80,203.0.113.0/24"])
        #expect(cluster.members(.loadBalancerSourceIP).isEmpty)
        #expect(cluster.targets(.filter, "KUBE-PROXY-FIREWALL") == ["KUBE-SOURCE-RANGES-FIREWALL(KUBE-LOAD-BALANCER-FW)"])
        #expect(cluster.targets(.filter, "KUBE-SOURCE-RANGES-FIREWALL") == ["RETURN(KUBE-LOAD-BALANCER-SOURCE-CIDR)", "DROP"])
        #expect(
            cluster.rules(.filter, "KUBE-IPVS-OUT-FILTER") == [
                "-s 192.0.2.50/32 -m ipvs --vproto 6 --vaddr 192.0.2.50 --vport 80 -j DROP"
            ])
    }

    @Test func `accept this node if they contain its address, and follow changes of it`() {
        var cluster = cluster(["10.99.0.0/24"], node: ["10.99.0.2"])
        #expect(cluster.members(.loadBalancerSourceIP) == ["192.0.2.50,tcp:80,192.0.2.50"])
        #expect(cluster.rules(.filter, "KUBE-IPVS-OUT-FILTER").isEmpty)
        #expect(
            cluster.targets(.filter, "KUBE-SOURCE-RANGES-FIREWALL") == [
                "RETURN(KUBE-LOAD-BALANCER-SOURCE-CIDR)", "RETURN(KUBE-LOAD-BALANCER-SOURCE-IP)", "DROP",
            ])
        cluster.set(Node.named(addresses: ["10.98.0.2"]))
        cluster.translate()
        #expect(cluster.members(.loadBalancerSourceIP).isEmpty)
        #expect(cluster.rules(.filter, "KUBE-IPVS-OUT-FILTER").count == 1)
    }

    /// The IPv4 ranges of an IPv4 load balancer; nil for no restriction.
    @Test(
        arguments: [
            ([], nil), (["0.0.0.0/0"], nil), (["10.0.0.0/8", "0.0.0.0/0"], nil), (["::/0"], nil), (["2001:db8::/32", "::/0"], nil),
            ([" "], nil), (["2001:db8::/32"], []), (["nonsense"], []), (["10.0.0.0/8", "nonsense"], ["10.0.0.0/8"]),
            (["10.0.0.0/8", "::/0"], ["10.0.0.0/8"]), (["010.000.001.002/032"], ["10.0.1.2"]), (["10.1.2.3/31"], ["10.1.2.2/31"]),
        ] as [([String], [String]?)])
    func `are parsed, and limited to the address family`(written: [String], ranges: [String]?) {
        let cluster = cluster(written)
        #expect(cluster.members(.loadBalancerFirewall).isEmpty == (ranges == nil))
        #expect(cluster.members(.loadBalancerSourceCIDR) == (ranges ?? []).map { "192.0.2.50,tcp:80,\($0)" })
        #expect(cluster.rules(.filter, "KUBE-IPVS-OUT-FILTER").count == (ranges == nil ? 0 : 1))
    }

    @Test func `appear only in the rules of their family`() {
        let six = cluster(["2001:db8::/64"], ingress: ["2001:db8::50"], clusterIP: "fd00:96::10")
        #expect(six.members(.loadBalancerSourceCIDR, .ipv6) == ["2001:db8::50,tcp:80,2001:db8::/64"])
        #expect(six.rules(.filter, "KUBE-IPVS-OUT-FILTER").isEmpty)
        #expect(
            six.rules(.filter, "KUBE-IPVS-OUT-FILTER", .ipv6) == [
                "-s 2001:db8::50/128 -m ipvs --vproto 6 --vaddr 2001:db8::50 --vport 80 -j DROP"
            ])
    }

    @Test func `of a Service that does not own the address have no effect`() {
        let young = Service.loadBalancer("young", "10.96.0.11", ingress: ["192.0.2.50"], ranges: ["10.0.0.0/8"])
        var cluster = Cluster([young])
        #expect(cluster.members(.loadBalancerFirewall).count == 1)
        cluster.set(
            .loadBalancer("lb", "10.96.0.10", ingress: ["192.0.2.50"]).with {
                $0.metadata.creationTimestamp = Time("2026-01-01T00:00:00Z")
            })
        cluster.translate()
        #expect(cluster.members(.loadBalancerFirewall).isEmpty && cluster.members(.loadBalancerSourceCIDR).isEmpty)
        #expect(cluster.rules(.filter, "KUBE-IPVS-OUT-FILTER").isEmpty)
        cluster.remove("lb")
        cluster.translate()
        #expect(cluster.members(.loadBalancerFirewall).count == 1)
        #expect(cluster.rules(.filter, "KUBE-IPVS-OUT-FILTER").count == 1)
    }
}

@Suite struct `Health check node ports` {
    @Test func `are open only for load balancers with the Local policy, and follow the Service`() {
        var cluster = Cluster([
            .loadBalancer("a", "10.96.0.1", ingress: [], policy: .local, healthCheckNodePort: 30000),
            .loadBalancer("b", "10.96.0.2", ingress: [], policy: .local, healthCheckNodePort: 30001),
            .loadBalancer("c", "10.96.0.3", ingress: [], policy: .cluster, healthCheckNodePort: 30002),
            .loadBalancer("d", "10.96.0.4", ingress: [], policy: .local, healthCheckNodePort: 30003).with { $0.type = .nodePort },
        ])
        #expect(cluster.members(.healthCheckNodePort) == ["30000", "30001"])
        cluster.set(.loadBalancer("a", "10.96.0.1", ingress: [], policy: .local, healthCheckNodePort: 30005))
        cluster.remove("b")
        cluster.translate()
        #expect(cluster.members(.healthCheckNodePort) == ["30005"])
        cluster.set(.clusterIP("a", "10.96.0.1"))
        cluster.translate()
        #expect(cluster.members(.healthCheckNodePort).isEmpty)
    }

    @Test func `are open even if node ports have no address`() {
        let service = Service.loadBalancer("a", "10.96.0.1", ingress: [], nodePort: 30080, policy: .local, healthCheckNodePort: 30000)
        #expect(Cluster([service], local: []).members(.healthCheckNodePort) == ["30000"])
    }
}
