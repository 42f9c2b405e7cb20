import KernelTestSupport
import Testing

extension Scenarios {
    /// Chains of other programs that drop packets.
    @Suite(.enabled("requires NAT of nftables", Filters.tablesWork)) struct `Another firewall` {
        let world = World.shared

        /// The chains of firewalld with the zone public, without its sub-chains.
        private static let firewalld = """
            nft -f - <<'END'
            table inet firewalld {
              chain filter_INPUT_ZONES { tcp dport 22 accept; }
              chain filter_INPUT {
                type filter hook input priority filter + 10; policy accept;
                ct state { established, related } accept
                ct status dnat accept
                iifname "lo" accept
                ct state invalid drop
                meta l4proto { icmp, ipv6-icmp } accept
                jump filter_INPUT_ZONES
                reject with icmpx admin-prohibited
              }
              chain filter_FORWARD {
                type filter hook forward priority filter + 10; policy accept;
                ct state { established, related } accept
                ct status dnat accept
                iifname "lo" accept
                ct state invalid drop
                reject with icmpx admin-prohibited
              }
              chain filter_OUTPUT {
                type filter hook output priority filter + 10; policy accept;
                oifname "lo" accept
              }
            }
            END
            """

        private func warnings() async throws -> [String] {
            try await world.log().split(separator: "\n").filter { $0.contains("\"Another firewall drops packets\"") }.map(String.init)
        }

        private func answers(from client: String, _ address: String, _ port: UInt16) async throws -> Answers {
            try await Answers.ask(from: client, "tcp", address, port, "--count 3 --timeout-ms 2000")
        }

        private static var filters: [String] { Place.hasIPTables ? ["nftables", "iptables"] : ["nftables"] }

        /// The commands are those of docs/packet-filter.md.
        @Test(arguments: filters) func `like firewalld is reported, and traffic works after the recommended rules`(filter: String)
            async throws
        {
            try await Filters.begin()
            try await Shell.output(in: "node1", Self.firewalld)
            try await world.start(flags: Filters.flags(filter))
            let warnings = try await warnings()
            #expect(warnings.count == 2, "\(warnings)")
            for (chain, hook) in [("filter_INPUT", "input"), ("filter_FORWARD", "forward")] {
                let parts = [
                    #"family="inet""#, #"table="firewalld""#, "chain=\"\(chain)\"", "hook=\"\(hook)\"",
                    "nft insert rule inet firewalld \(chain) ",
                ]
                #expect(warnings.contains { line in parts.allSatisfy { line.contains($0) } }, "\(chain): \(warnings)")
            }
            #expect(try await answers(from: "pod-c", Manifests.clusterIP, Manifests.port).answered == 0)
            #expect(try await answers(from: "outside", World.node.outside, Manifests.nodePort).answered == 0)

            // The range 10.96.0.0/12 of other tests contains the address of this node.
            try await Shell.output(in: "node1", "nft insert rule inet firewalld filter_INPUT ip daddr 10.96.0.0/16 accept")
            let pod = try await answers(from: "pod-c", Manifests.clusterIP, Manifests.port)
            #expect(pod.answered == 3, "\(pod)")
            #expect(try await answers(from: "outside", World.node.outside, Manifests.nodePort).answered == 0)
            try await Shell.output(in: "node1", "nft insert rule inet firewalld filter_INPUT tcp dport 30000-32767 accept")
            let outside = try await answers(from: "outside", World.node.outside, Manifests.nodePort)
            #expect(outside.answered == 3, "\(outside)")
        }

        @Test(.enabled("requires iptables-nft", Filters.bothWork))
        func `like Docker's policy of FORWARD is reported with nftables, and replies to clients outside work after the recommended rule`()
            async throws
        {
            try await Filters.begin()
            // Replies to a client outside are forwarded only if the client's address is preserved.
            try await world.write(
                "web.yaml", Manifests.web().replacing("type: NodePort", with: "type: NodePort\n  externalTrafficPolicy: Local"))
            try await Shell.output(in: "node1", "iptables-nft -P FORWARD DROP")
            try await world.start(flags: Filters.nftables)
            let warnings = try await warnings()
            #expect(warnings.count == 1, "\(warnings)")
            for part in [
                #"family="ip""#, #"table="filter""#, #"chain="FORWARD""#, #"hook="forward""#, #"cause="policy drop""#,
                "iptables-nft -I FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            ] { #expect(warnings.first?.contains(part) == true, "\(part): \(warnings)") }
            #expect(try await answers(from: "outside", World.node.outside, Manifests.nodePort).answered == 0)
            #expect(try await answers(from: "pod-c", Manifests.clusterIP, Manifests.port).answered < 3)
            try await Shell.output(in: "node1", "iptables-nft -I FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
            let outside = try await answers(from: "outside", World.node.outside, Manifests.nodePort)
            #expect(outside.answered == 3 && outside.clients == ["10.99.0.1": 3], "\(outside)")
            #expect(try await answers(from: "pod-c", Manifests.clusterIP, Manifests.port).answered == 3)
        }

        @Test func `that accepts is not reported`() async throws {
            try await Filters.begin()
            try await Shell.output(
                in: "node1",
                """
                nft -f - <<'END'
                table inet mine {
                  chain blocked { ip saddr 192.0.2.0/24 drop; }
                  chain input { type filter hook input priority 0; jump blocked; ip saddr 192.0.2.7 reject; }
                  chain forward { type filter hook forward priority 0; policy drop; counter accept; }
                  chain output { type filter hook output priority 0; policy drop; accept; }
                }
                END
                """)
            try await world.start(flags: Filters.nftables)
            #expect(try await warnings().isEmpty)
            try await Filters.expectTraffic("with another table")
        }
    }
}
