import KernelTestSupport
import Testing

extension Scenarios {
    /// What the scenarios use to judge and to disturb the proxy's packet filter, with sets and rules that no proxy created.
    @Suite struct `The tools of the scenarios` {
        let world = World.shared
        private let filter = NodeFilter()

        private static let state =
            Place.hasIPTables
            ? """
            ipset create KUBE-CLUSTER-IP hash:ip,port; ipset create KUBE-6-CLUSTER-IP hash:ip,port family inet6
            ipset create KUBE-NODE-PORT-TCP bitmap:port range 0-65535; ipset create KUBE-LOAD-BALANCER-SOURCE-IP hash:ip,port,ip
            iptables-\(Place.iptables) -N KUBE-PROXY-FIREWALL; iptables-\(Place.iptables) -A INPUT -j KUBE-PROXY-FIREWALL
            iptables-\(Place.iptables) -A KUBE-PROXY-FIREWALL -m set --match-set KUBE-CLUSTER-IP dst,dst ! -s 10.244.1.0/24 -j DROP
            """
            : """
            nft -f - <<'END'
            table ip kube-ipvs-proxy {
              counter no-client { }
              set KUBE-CLUSTER-IP { type ipv4_addr . inet_proto . inet_service; size 65536; }
              set KUBE-NODE-PORT-TCP { type inet_service; }
              set KUBE-LOAD-BALANCER-SOURCE-IP { type ipv4_addr . inet_proto . inet_service . ipv4_addr; }
              chain filter-KUBE-PROXY-FIREWALL {
                ip daddr . ip protocol . th dport @KUBE-CLUSTER-IP ip saddr != 10.244.1.0/24 counter name no-client drop
              }
              chain filter-input { type filter hook input priority filter; jump filter-KUBE-PROXY-FIREWALL; }
            }
            table ip6 kube-ipvs-proxy {
              set KUBE-6-CLUSTER-IP { type ipv6_addr . inet_proto . inet_service; }
            }
            END
            """

        private static let members = [
            ("KUBE-6-CLUSTER-IP", "fd00:96::10,sctp:80"), ("KUBE-CLUSTER-IP", "10.244.1.1,udp:10255"),
            ("KUBE-CLUSTER-IP", "10.96.0.10,tcp:80"),
            ("KUBE-LOAD-BALANCER-SOURCE-IP", "198.51.100.7,tcp:80,192.0.2.1"), ("KUBE-NODE-PORT-TCP", "30080"),
        ]

        @Test func `read and change sets, and count dropped packets`() async throws {
            try await world.begin()
            #expect(try await filter.dump().isEmpty, "the scenario begins with nothing")
            try await Shell.output(in: "node1", Self.state)
            for (set, member) in Self.members { try await Shell.output(in: "node1", NodeFilter.adding(member, to: set)) }
            #expect(try await filter.members() == Self.members.map { "\($0.0) \($0.1)" })
            #expect(try await filter.members(of: "KUBE-CLUSTER-IP") == ["10.244.1.1,udp:10255", "10.96.0.10,tcp:80"])
            #expect(try await filter.sets() == Set(Self.members.map(\.0)).sorted())
            let rules = try await filter.rules()
            for part in [NodeFilter.lookup(in: "KUBE-CLUSTER-IP"), NodeFilter.isNotFrom("10.244.1.0/24")] {
                #expect(rules.contains { $0.contains("KUBE-PROXY-FIREWALL") && $0.contains(part) }, "\(part): \(rules)")
            }

            let dump = try await filter.dump()
            #expect(try await filter.droppedPackets(by: "KUBE-PROXY-FIREWALL", isV6: false) == 0)
            try await Shell.output(in: "outside", "for i in 1 2 3; do echo x >/dev/udp/\(World.node.outside)/10255; done")
            #expect(try await filter.droppedPackets(by: "KUBE-PROXY-FIREWALL", isV6: false) == 0, "another address")
            try await Shell.output(
                in: "outside",
                "ip route replace 10.244.1.1/32 via \(World.node.outside); for i in 1 2 3; do echo x >/dev/udp/10.244.1.1/10255; done; ip route delete 10.244.1.1/32"
            )
            #expect(try await filter.droppedPackets(by: "KUBE-PROXY-FIREWALL", isV6: false) == 3)
            #expect(try await filter.dump() == dump, "without counters")

            for (set, member) in Self.members { try await Shell.output(in: "node1", NodeFilter.removing(member, from: set)) }
            #expect(try await filter.members().isEmpty)
            try await world.begin()
            #expect(try await filter.dump().isEmpty, "the next scenario begins with nothing")
        }

        @Test func `block the packets to a port of the external client`() async throws {
            try await world.begin()
            try await Shell.output("serve_traffic outside --name blocked --http 18080")
            func answered() async throws -> Bool {
                try await Answers.ask(from: "node1", "tcp", "10.99.0.1", 18080, "--count 1 --timeout-ms 1500").answered == 1
            }
            #expect(try await answered())
            for onlyEstablished in [false, true] {
                try await world.block(port: 18080, onlyEstablished: onlyEstablished)
                #expect(try await !answered(), "blocked, onlyEstablished: \(onlyEstablished)")
                try await world.unblock()
                #expect(try await answered())
            }
        }
    }
}
