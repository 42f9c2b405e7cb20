import Kubernetes
import Model
import Testing
import Translation

/// Returns a Service with these ports.
private func service(_ name: String, _ address: String, _ ports: [(Transport, UInt16)]) -> Service {
    Service.clusterIP(name, address).with {
        $0.ports = ports.map { ServicePort(name: "\($0.1)", transport: $0.0, port: $0.1) }
    }
}

@Suite struct `The Services of a cluster` {
    @Test func `have a virtual server for each port, and none once deleted`() {
        var cluster = Cluster([
            service("a", "172.16.55.4", [(.udp, 1234), (.udp, 1235), (.sctp, 1)]), service("b", "172.16.55.10", [(.udp, 345), (.sctp, 7)]),
            .loadBalancer("lb", "172.16.55.11", ingress: ["5.6.7.8"]),
            .loadBalancer("local", "172.16.55.12", ingress: ["10.1.2.3"], policy: .local, healthCheckNodePort: 345),
        ])
        #expect(cluster.servers.count == 9)
        #expect(cluster.members(.healthCheckNodePort) == ["345"])
        cluster.set(service("a", "172.16.55.4", [(.udp, 1235)]))
        for name in ["b", "lb", "local"] { cluster.remove(name) }
        cluster.translate()
        #expect(cluster.servers == ["172.16.55.4:1235/UDP []"])
        #expect(cluster.bound == ["172.16.55.4"])
        #expect(KubeSet.allCases.filter { !cluster.members($0).isEmpty } == [.clusterIP, .ipvsIPs])
    }

    @Test func `that are added and deleted between two translations leave nothing`() {
        var cluster = Cluster([])
        cluster.set(.clusterIP("a", "10.96.0.1"))
        cluster.remove("a")
        #expect(cluster.translate() == .nothing)
        #expect(cluster.translation.desired == Translation.catalogue(cluster.translation.settings))
    }

    @Test func `that are set again unchanged change nothing`() {
        var cluster = Cluster([.clusterIP("a", "10.96.0.1", nodePort: 30080)])
        cluster.set(.clusterIP("a", "10.96.0.1", nodePort: 30080))
        #expect(cluster.translate() == .nothing)
        #expect(
            cluster.translation.update(
                [NamespacedName(namespace: "default", name: "a")], of: cluster.state, cluster.nodeAddresses)
                == .nothing)
    }

    @Test func `change their type in place`() {
        let plain = Service.clusterIP("a", "172.16.55.4")
        var cluster = Cluster([plain])
        cluster.set(
            .loadBalancer("a", "172.16.55.4", ingress: ["10.1.2.3"], policy: .local, healthCheckNodePort: 345).with {
                $0.ports = plain.ports
            })
        cluster.translate()
        #expect(cluster.servers == ["10.1.2.3:80/TCP []", "172.16.55.4:80/TCP []"])
        #expect(cluster.members(.healthCheckNodePort) == ["345"])
        cluster.set(plain)
        cluster.translate()
        #expect(cluster.servers == ["172.16.55.4:80/TCP []"])
        #expect(cluster.members(.healthCheckNodePort).isEmpty && cluster.members(.loadBalancer).isEmpty)
    }

    @Test func `keep their address bound while ports are added and removed, until deleted`() throws {
        var cluster = Cluster([service("a", "172.16.55.4", [(.tcp, 1), (.tcp, 2)])])
        for ports in [[(.tcp, 1)], [(.tcp, 1), (.tcp, 2), (.tcp, 3)]] as [[(Transport, UInt16)]] {
            cluster.set(service("a", "172.16.55.4", ports))
            let selection = try #require(cluster.translate().selection)
            #expect(cluster.bound == ["172.16.55.4"])
            #expect(selection.addresses.isEmpty)
        }
        cluster.remove("a")
        cluster.translate()
        #expect(cluster.bound.isEmpty)
    }

    /// The addresses that a Service gets, by family.
    @Test(
        arguments: [
            (["10.0.0.1"], [], "10.0.0.1", nil), (["10.0.0.1"], [.ipv4], "10.0.0.1", nil), (["fd00::1"], [.ipv6], nil, "fd00::1"),
            (["fd00::1"], [], nil, "fd00::1"), (["10.0.0.1", "fd00::1"], [.ipv4, .ipv6], "10.0.0.1", "fd00::1"),
            (["fd00::1", "10.0.0.1"], [.ipv6, .ipv4], "10.0.0.1", "fd00::1"), (["010.000.000.001"], [], "10.0.0.1", nil),
        ] as [([String], [IPFamily], String?, String?)])
    func `have the cluster IP of each of their families`(addresses: [String], families: [IPFamily], four: String?, six: String?) {
        let cluster = Cluster([
            Service.clusterIP("a", addresses[0]).with {
                $0.clusterIPs = addresses
                $0.ipFamilies = families
            }
        ])
        #expect(cluster.bound == [four, six].compactMap(\.self))
    }

    @Test(arguments: IPFamily.allCases) func `have external addresses and ranges of their own family only`(family: IPFamily) {
        let isFour = family == .ipv4
        let cluster = Cluster([
            Service.clusterIP("a", isFour ? "10.96.0.1" : "fd00:96::1").with {
                $0.externalIPs = ["198.51.100.7", "2001:db8::7"]
                $0.loadBalancerIngress = ["192.0.2.50", "2001:db8::50"].map { LoadBalancerIngress(ip: $0) }
                $0.loadBalancerSourceRanges = ["203.0.113.0/24", "2001:db8:1::/64"]
            }
        ])
        let addresses = isFour ? ["10.96.0.1", "192.0.2.50", "198.51.100.7"] : ["2001:db8::7", "2001:db8::50", "fd00:96::1"]
        #expect(cluster.bound == addresses)
        #expect(
            cluster.members(.loadBalancerSourceCIDR, family)
                == [isFour ? "192.0.2.50,tcp:80,203.0.113.0/24" : "2001:db8::50,tcp:80,2001:db8:1::/64"])
        #expect(cluster.members(.loadBalancerFirewall, isFour ? .ipv6 : .ipv4).isEmpty)
    }
}

@Suite struct `Node ports` {
    private let endpoints = [
        EndpointSlice.of("web", [.at("10.180.0.1")], name: "four"), .of("web", [.at("1002:ab8::2:10")], name: "six", type: .ipv6),
    ]
    private let local = ["100.101.102.103", "2001:db8::1:1"]

    @Test(
        arguments: [
            ("10.20.30.41", "100.101.102.103:3001/TCP", "10.180.0.1"), ("2020::1", "[2001:db8::1:1]:3001/TCP", "1002:ab8::2:10"),
        ])
    func `answer on the node's addresses of the Service's family`(clusterIP: String, server: String, endpoint: String) {
        let cluster = Cluster([.clusterIP("web", clusterIP, nodePort: 3001)], endpoints, local: local)
        #expect(cluster.servers.count == 2)
        #expect(cluster.endpoints(server) == [endpoint])
    }

    @Test func `have a virtual server even without endpoints, and a set for each protocol`() {
        let cluster = Cluster([.clusterIP("web", "10.20.30.41", nodePort: 3001, transport: .udp)], local: local)
        #expect(cluster.servers == ["10.20.30.41:80/UDP []", "100.101.102.103:3001/UDP []"])
        #expect(cluster.members(.nodePortUDP) == ["3001"])
        #expect(cluster.targets(.nat, "KUBE-NODE-PORT") == ["KUBE-MARK-MASQ(KUBE-NODE-PORT-UDP)"])
        #expect(cluster.targets(.filter, "KUBE-NODE-PORT") == ["ACCEPT(KUBE-HEALTH-CHECK-NODE-PORT)"])
        #expect(
            cluster.targets(.nat, "KUBE-SERVICES") == [
                "RETURN", "KUBE-MARK-MASQ(KUBE-CLUSTER-IP)", "KUBE-NODE-PORT", "ACCEPT(KUBE-CLUSTER-IP)",
            ])
    }

    @Test(arguments: [("10.20.30.41", IPFamily.ipv4, 3), ("2020::1", .ipv6, 2)])
    func `over SCTP are set members with each address`(clusterIP: String, family: IPFamily, count: Int) {
        let cluster = Cluster(
            [.clusterIP("web", clusterIP, nodePort: 3001, transport: .sctp)],
            local: ["100.101.102.103", "100.101.102.104", "100.101.102.105", "2001:db8::1:1", "2001:db8::1:2"])
        #expect(cluster.servers.count == count + 1)
        #expect(cluster.members(.nodePortSCTP, family).count == count)
    }

    @Test func `with the Local policy answer on the configured addresses from endpoints of this node`() throws {
        let settings = TranslationSettings(nodeName: "node1", nodePortAddresses: .ranges([try #require(CIDR("100.101.102.0/24"))]))
        let service = Service.clusterIP("web", "10.20.30.41", nodePort: 3001).with {
            $0.type = .nodePort
            $0.externalTrafficPolicy = .local
        }
        let cluster = Cluster(
            [service], [.of("web", [.at("10.180.0.1", node: "node1"), .at("10.180.1.1", node: "node2")])], settings: settings,
            local: ["100.101.102.103", "10.99.0.2"])
        #expect(cluster.servers.count == 2)
        #expect(cluster.endpoints("100.101.102.103:3001/TCP") == ["10.180.0.1"])
        #expect(
            cluster.targets(.nat, "KUBE-NODE-PORT") == ["RETURN(KUBE-NODE-PORT-LOCAL-TCP)", "KUBE-MARK-MASQ(KUBE-NODE-PORT-TCP)"])
    }
}
