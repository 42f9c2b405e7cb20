import Kubernetes
import Model
import Reconciler
import Testing
import Translation

/// Cases that kube-proxy does not test, by number (X1…).
@Suite struct `Cases that kube-proxy does not test` {
    private static let clusterIPSet =
        "-m comment --comment \"Kubernetes service cluster ip + port for masquerade purpose\" -m set --match-set"

    /// The settings that control the masquerading of cluster IP clients, and the resulting rule of each family.
    private static let detectors: [(LocalTraffic, all: Bool, four: String, six: String)] = [
        (
            .clusterCIDR(["10.244.0.0/16", "fd00:244::/32"].compactMap { CIDR($0) }), false,
            "! -s 10.244.0.0/16 \(clusterIPSet) KUBE-CLUSTER-IP dst,dst", "! -s fd00:244::/32 \(clusterIPSet) KUBE-6-CLUSTER-IP dst,dst"
        ),
        (
            .clusterCIDR(["10.244.0.0/16"].compactMap { CIDR($0) }), false, "! -s 10.244.0.0/16 \(clusterIPSet) KUBE-CLUSTER-IP dst,dst",
            "\(clusterIPSet) KUBE-6-CLUSTER-IP src,dst"
        ),
        (
            .bridgeInterface("cni0"), false, "! -i cni0 \(clusterIPSet) KUBE-CLUSTER-IP dst,dst",
            "! -i cni0 \(clusterIPSet) KUBE-6-CLUSTER-IP dst,dst"
        ),
        (
            .interfaceNamePrefix("veth"), false, "! -i veth+ \(clusterIPSet) KUBE-CLUSTER-IP dst,dst",
            "! -i veth+ \(clusterIPSet) KUBE-6-CLUSTER-IP dst,dst"
        ),
        (.bridgeInterface("cni0"), true, "\(clusterIPSet) KUBE-CLUSTER-IP dst,dst", "\(clusterIPSet) KUBE-6-CLUSTER-IP dst,dst"),
    ]

    @Test(arguments: detectors.indices) func `X1: clients of a cluster IP are masqueraded according to the local traffic detection`(
        index: Int
    ) {
        let (localTraffic, all, four, six) = Self.detectors[index]
        let settings = TranslationSettings(nodeName: "node1", masqueradeAll: all, localTraffic: localTraffic)
        let service = Service.clusterIP("web", "10.96.0.10").with {
            $0.clusterIPs = ["10.96.0.10", "fd00:96::10"]
            $0.ipFamilies = [.ipv4, .ipv6]
        }
        let cluster = Cluster([service], settings: settings)
        for (family, rule) in [(IPFamily.ipv4, four), (.ipv6, six)] {
            #expect(cluster.rules(.nat, "KUBE-SERVICES", family).filter { $0.hasSuffix("KUBE-MARK-MASQ") } == ["\(rule) -j KUBE-MARK-MASQ"])
        }
    }

    @Test(arguments: [(0, "0x1"), (9, "0x200"), (14, "0x4000"), (31, "0x80000000")])
    func `X1: the mark is the configured bit, at any position`(bit: Int, mark: String) {
        let cluster = Cluster([], settings: TranslationSettings(nodeName: "node1", masqueradeBit: bit))
        #expect(cluster.rules(.nat, "KUBE-MARK-MASQ") == ["-j MARK --set-xmark \(mark)/\(mark)"])
        #expect(
            cluster.rules(.nat, "KUBE-POSTROUTING").prefix(2) == [
                "-m mark ! --mark \(mark)/\(mark) -j RETURN", "-j MARK --set-xmark \(mark)/0x0",
            ])
        #expect(cluster.rules(.filter, "KUBE-FORWARD").first?.hasSuffix("-m mark --mark \(mark)/\(mark) -j ACCEPT") == true)
    }

    @Test func `X1: IPv6 sets have unique names of at most 31 bytes`() {
        let names = IPFamily.allCases.flatMap { family in KubeSet.allCases.map { $0.name(family).text } }
        #expect(Set(names).count == names.count && names.allSatisfy { $0.utf8.count <= 31 })
        #expect(KubeSet.loadBalancerSourceCIDR.name(.ipv6).text == "KUBE-6-LOAD-BALANCER-SOURCE-CID")
        #expect(KubeSet.nodePortLocalSCTP.name(.ipv6).text == "KUBE-6-NODE-PORT-LOCAL-SCTP-HAS")
    }

    @Test func `X2: a restricted load balancer is closed to the node for each port and protocol`() {
        let service = Service.loadBalancer("lb", "10.96.0.10", ingress: ["192.0.2.50"], ranges: ["10.0.0.0/8"]).with {
            $0.ports.append(ServicePort(name: "q", transport: .udp, port: 53))
            $0.ports.append(ServicePort(name: "s", transport: .sctp, port: 99))
        }
        #expect(
            Cluster([service]).rules(.filter, "KUBE-IPVS-OUT-FILTER")
                == [
                    (17, 53), (6, 80), (132, 99),
                ].map { "-s 192.0.2.50/32 -m ipvs --vproto \($0) --vaddr 192.0.2.50 --vport \($1) -j DROP" })
    }

    @Test func `X3: an address that another interface gets is unbound from kube-ipvs0 and keeps its virtual server`() throws {
        var cluster = Cluster([.loadBalancer("lb", "10.96.0.10", ingress: ["192.0.2.50"])])
        let before = cluster.translation.desired
        cluster.localAddresses.insert(try #require(IPAddress("192.0.2.50")))
        let scope = cluster.translate()
        let plan = Plan(from: before, to: cluster.translation.desired, scope: scope, drainTimeout: .zero, now: .init(nanoseconds: 0))
        #expect(
            plan.operations.map(\.command) == ["ip address delete 192.0.2.50/32 dev kube-ipvs0", "ipset del KUBE-IPVS-IPS 192.0.2.50"])
        #expect(cluster.servers == ["10.96.0.10:80/TCP []", "192.0.2.50:80/TCP []"])
    }

    @Test func `X4: removed affinity leaves neither flag nor timeout`() {
        var cluster = Cluster([.clusterIP("web", "10.96.0.10").with { $0.sessionAffinity = .clientIP }])
        cluster.set(.clusterIP("web", "10.96.0.10"))
        cluster.translate()
        #expect(cluster.translation.desired.virtualServers.values.map(\.flags) == [[]])
        #expect(cluster.translation.desired.virtualServers.values.map(\.timeout) == [0])
    }

    @Test func `X10: of two Services with the same address and port, the older one gets it with all its sets, in any order`() {
        let old = Service.clusterIP("old", "10.96.0.10", created: "2026-01-01T00:00:00Z").with { $0.externalIPs = ["50.60.70.81"] }
        let young = Service.loadBalancer("young", "10.96.0.11", ingress: ["50.60.70.81"], ranges: ["10.0.0.0/8"]).with {
            $0.metadata.creationTimestamp = Time("2026-02-01T00:00:00Z")
        }
        let slices = [EndpointSlice.of("old", [.at("10.244.0.1")]), .of("young", [.at("10.244.0.2")])]
        for services in [[old, young], [young, old]] {
            var cluster = Cluster([services[0]], slices)
            cluster.set(services[1])
            cluster.translate()
            #expect(cluster.endpoints("50.60.70.81:80/TCP") == ["10.244.0.1"])
            #expect(cluster.members(.externalIP) == ["50.60.70.81,tcp:80"])
            #expect(cluster.members(.loadBalancer).isEmpty && cluster.members(.loadBalancerFirewall).isEmpty)
            #expect(cluster.translation.conflicts.mapValues { $0.map(\.description) }.map { ($0.key.name, $0.value) }.first?.0 == "young")
            cluster.remove("old")
            cluster.translate()
            #expect(cluster.endpoints("50.60.70.81:80/TCP") == ["10.244.0.2"])
            #expect(cluster.members(.externalIP).isEmpty)
            #expect(cluster.members(.loadBalancer) == ["50.60.70.81,tcp:80"] && cluster.members(.loadBalancerFirewall).count == 1)
        }
    }

    @Test func `X12: node ports do not answer on a load balancer IP inside their ranges`() throws {
        let settings = TranslationSettings(nodeName: "node1", nodePortAddresses: .ranges([try #require(CIDR("10.99.0.0/16"))]))
        let cluster = Cluster([.loadBalancer("lb", "10.96.0.10", ingress: ["10.99.7.7"], nodePort: 30080)], settings: settings)
        #expect(cluster.servers == ["10.96.0.10:80/TCP []", "10.99.0.2:30080/TCP []", "10.99.7.7:80/TCP []"])
    }

    @Test func `X12: node ports on the primary address have no virtual server and no set member until it is known`() {
        let settings = TranslationSettings(nodeName: "node1", nodePortAddresses: .primary)
        var cluster = Cluster([.clusterIP("web", "10.96.0.10", nodePort: 30080)], settings: settings)
        #expect(cluster.servers == ["10.96.0.10:80/TCP []"] && cluster.members(.nodePortTCP).isEmpty)
        cluster.set(Node.named(addresses: ["10.99.0.2"]))
        cluster.translate()
        #expect(cluster.servers.contains("10.99.0.2:30080/TCP []") && cluster.members(.nodePortTCP) == ["30080"])
    }

    @Test func `X12: a loopback external IP is never bound, and is removed with its Service`() {
        var cluster = Cluster([.clusterIP("web", "10.96.0.10").with { $0.externalIPs = ["127.0.0.1"] }])
        #expect(cluster.bound == ["10.96.0.10"] && cluster.servers == ["10.96.0.10:80/TCP []"] && cluster.refused.count == 1)
        cluster.remove("web")
        cluster.translate()
        #expect(cluster.bound.isEmpty && cluster.servers.isEmpty && cluster.refused.isEmpty)
    }

    @Test func `X13: internalTrafficPolicy Local does not affect node ports and load balancers`() {
        let service = Service.loadBalancer("lb", "10.96.0.10", ingress: ["192.0.2.50"], nodePort: 30080).with {
            $0.internalTrafficPolicy = .local
        }
        let cluster = Cluster([service], [.of("lb", [.at("10.244.1.1", node: "node2")])])
        #expect(cluster.endpoints("10.96.0.10:80/TCP") == [])
        #expect(cluster.endpoints("10.99.0.2:30080/TCP") == ["10.244.1.1"] && cluster.endpoints("192.0.2.50:80/TCP") == ["10.244.1.1"])
        #expect(cluster.members(.noLocalEndpoints).isEmpty)
    }

    /// The kernel writes such a member without its prefix length.
    @Test func `X14: a source range of one address equals the kernel's form of the member`() throws {
        let cluster = Cluster([.loadBalancer("lb", "10.96.0.10", ingress: ["192.0.2.50"], ranges: ["203.0.113.7/32"])])
        #expect(cluster.members(.loadBalancerSourceCIDR) == ["192.0.2.50,tcp:80,203.0.113.7"])
        let member = AddressSet.Member.addressPortNet(
            AddressPort(try #require(IPAddress("192.0.2.50")), 80), .tcp, CIDR(host: try #require(IPAddress("203.0.113.7"))))
        #expect(cluster.translation.desired.sets[KubeSet.loadBalancerSourceCIDR.name(.ipv4)]?.members.keys.first == member)
        var repeated = cluster
        repeated.set(.loadBalancer("lb", "10.96.0.10", ingress: ["192.0.2.50"], ranges: ["203.0.113.7/32"]))
        #expect(repeated.translate().isEmpty)
    }

    @Test func `N6: addresses with leading zeros are decimal in every field of a Service or slice`() {
        let service = Service.loadBalancer(
            "web", "172.30.0.041", ingress: ["1.2.3.004"], ranges: ["203.0.113.000/025"]
        ).with { $0.externalIPs = ["192.168.099.022"] }
        let cluster = Cluster([service], [.of("web", [.at("10.180.00.001")])])
        #expect(
            cluster.servers == ["1.2.3.4:80/TCP", "172.30.0.41:80/TCP", "192.168.99.22:80/TCP"].map { "\($0) [10.180.0.1:8080]" })
        #expect(cluster.members(.loadBalancerSourceCIDR) == ["1.2.3.4,tcp:80,203.0.113.0/25"])
        #expect(cluster.bound == ["1.2.3.4", "172.30.0.41", "192.168.99.22"])
        #expect(cluster.refused.isEmpty)
    }

    @Test func `X17: a set with more than 65536 members is one set that is large enough for all`() throws {
        var desired = Translation.catalogue(TranslationSettings(nodeName: "node1"))
        let name = KubeSet.loopBack.name(.ipv4)
        let before = desired
        for number in 0..<70_000 as Range<UInt32> {
            let location = AddressPort(IPAddress(v4: 0x0af4_0000 + number), 80)
            desired.sets[name]?.members.updateValue(nil, forKey: .addressPortAddress(location, .tcp, location.address))
        }
        let plan = Plan(from: before, to: desired, drainTimeout: .zero, now: .init(nanoseconds: 0))
        guard case .replaceSet(let set)? = plan.operations.first, plan.operations.count == 1 else {
            Issue.record("\(plan.operations.count) operations")
            return
        }
        #expect(set.members.count == 70_000 && set.capacity >= 70_000)
    }
}
