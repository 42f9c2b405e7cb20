import KernelTestSupport
import Testing

extension Scenarios {
    /// Packets to service addresses that are not for a port of a Service.
    @Suite struct `The filter` {
        let world = World.shared

        private static let externalIP = (v4: "198.51.100.7", v6: "fd00:51::7")
        private static let loadBalancerIP = (v4: "198.51.100.8", v6: "fd00:51::8")
        private static let addresses = [
            Manifests.clusterIP, externalIP.v4, loadBalancerIP.v4, Manifests.clusterIP6, externalIP.v6, loadBalancerIP.v6,
        ]
        private static let clients = ["node1", "pod-a", "outside"]
        /// A port that no Service has and on which the host listens.
        private static let closedPort: UInt16 = 10255

        /// Returns a Service with an external IP and a load balancer IP of each family.
        private static func exposed(_ externalIPs: [String], _ ingress: [String]) -> String {
            Manifests.web().replacing("type: NodePort", with: "type: LoadBalancer\n  externalIPs: [\(quoted(externalIPs))]")
                + "status: {loadBalancer: {ingress: [\(ingress.map { "{ip: \"\($0)\"}" }.joined(separator: ", "))]}}\n"
        }

        private static func quoted(_ texts: [String]) -> String { texts.map { "\"\($0)\"" }.joined(separator: ", ") }

        /// Serves `web`, with routes to its addresses on the external client, as from its router.
        private func serve(_ externalIPs: [String], _ ingress: [String]) async throws {
            try await world.begin()
            try await Shell.output(
                in: "outside",
                "ip route replace 198.51.100.0/24 via \(World.node.outside); ip route replace fd00:51::/64 via \(World.node.outside6)")
            try await world.write("web.yaml", Self.exposed(externalIPs, ingress))
            try await world.write("slices.yaml", Manifests.slices(["pod-a"]))
            try await world.start()
            if !Place.hasIPTables { try await countInput() }
        }

        /// Counts packets to the closed port before and after the proxy's rules: those rules have no counters.
        private func countInput() async throws {
            let rules = Self.rejections.keys.map { "\($0) dport \(Self.closedPort) counter" }.joined(separator: "\n")
            for family in ["ip", "ip6"] {
                for (chain, priority) in [("before", -300), ("after", 300)] {
                    try await Shell.output(
                        in: "node1",
                        """
                        nft -f - <<'END'
                        table \(family) watch {
                          chain \(chain) {
                            type filter hook input priority \(priority)
                            \(rules)
                          }
                        }
                        END
                        """)
                }
            }
        }

        private func serveEverywhere() async throws {
            try await serve([Self.externalIP.v4, Self.externalIP.v6], [Self.loadBalancerIP.v4, Self.loadBalancerIP.v6])
        }

        /// The rules of iptables that reject, by transport.
        private static let rejections = [
            "tcp": "reject-with tcp-reset", "udp": "port-unreachable", "sctp": "reject-with icmp-proto-unreachable",
        ]

        /// Returns the number of packets to the closed port that the filter rejected.
        private func rejected(_ transport: String, isV6: Bool) async throws -> Int {
            guard Place.hasIPTables else {
                let (before, after) = (try await counted("before", transport, isV6), try await counted("after", transport, isV6))
                return before - after
            }
            let rule = Self.rejections[transport] ?? transport
            let listing = try await Shell.output(
                in: "node1", "\(isV6 ? "ip6tables" : "iptables")-\(Place.iptables)-save -c -t filter | grep -- 'KUBE-IPVS-FILTER .*\(rule)'"
            )
            // [3:180] -A KUBE-IPVS-FILTER …
            let lines = listing.split(separator: "\n")
            guard lines.count == 1 else { throw Shell.Failure(script: rule, output: listing) }
            return Int(lines[0].dropFirst().prefix { $0 != ":" }) ?? 0
        }

        /// Returns the number of packets that `countInput` counted in a chain.
        private func counted(_ chain: String, _ transport: String, _ isV6: Bool) async throws -> Int {
            let listing = try await Shell.output(in: "node1", "nft list chain \(isV6 ? "ip6" : "ip") watch \(chain)")
            let rule = listing.split(separator: "\n").first { $0.contains("\(transport) dport") } ?? ""
            guard let packets = rule.firstMatch(of: /packets ([0-9]+)/)?.1 else { throw Shell.Failure(script: chain, output: listing) }
            return Int(packets) ?? 0
        }

        @Test func `lets every service address answer ping from node, pod and outside`() async throws {
            try await serveEverywhere()
            for address in Self.addresses {
                for client in Self.clients {
                    let ping = try await Shell.attempt("ip netns exec \(client) ping -n -c 1 -W 10 \(address)")
                    #expect(ping.succeeded && ping.output.contains("from \(address)"), "\(client): \(ping.output)")
                }
            }
        }

        @Test func `rejects other TCP ports with a reset`() async throws {
            try await serveEverywhere()
            for address in Self.addresses {
                let isV6 = address.contains(":")
                let before = try await rejected("tcp", isV6: isV6)
                for client in Self.clients {
                    let answers = try await Answers.ask(from: client, "tcp", address, Self.closedPort, "--count 1")
                    #expect(answers.errors == ["connection refused": 1], "\(client) to \(address): \(answers)")
                }
                #expect(try await rejected("tcp", isV6: isV6) == before + Self.clients.count, "\(address)")
            }
        }

        @Test func `rejects other UDP ports as unreachable`() async throws {
            try await serveEverywhere()
            for address in Self.addresses {
                let isV6 = address.contains(":")
                let before = try await rejected("udp", isV6: isV6)
                for client in Self.clients {
                    let answers = try await Answers.ask(from: client, "udp", address, Self.closedPort, "--count 1")
                    #expect(answers.errors == ["connection refused": 1], "\(client) to \(address): \(answers)")
                }
                #expect(try await rejected("udp", isV6: isV6) == before + Self.clients.count, "\(address)")
            }
        }

        /// In IPv6, REJECT can send no response that SCTP acts on.
        @Test func `rejects other SCTP ports as an unreachable protocol`() async throws {
            try await serveEverywhere()
            for client in Self.clients {
                let answers = try await Answers.ask(from: client, "sctp", Self.externalIP.v4, Self.closedPort, "--count 1")
                #expect(answers.errors == ["protocol not available": 1], "\(client): \(answers)")
            }
            #expect(try await rejected("sctp", isV6: false) == Self.clients.count)
        }

        /// An external IP that an interface of this node already has must not be filtered.
        @Test func `leaves other ports of a node address open if a Service has that address`() async throws {
            try await serve([World.node.outside, World.node.outside6], [])
            for address in [World.node.outside, World.node.outside6] {
                let served = try await Answers.ask(from: "outside", "tcp", address, Manifests.port, "--count 1")
                #expect(served.responders == ["pod-a": 1], "\(address): \(served)")
            }
            #expect(
                try await Answers.ask(from: "outside", "tcp", World.node.outside, Self.closedPort, "--count 1").responders == ["host": 1])
            let members = try await NodeFilter().members(of: "KUBE-IPVS-IPS") + NodeFilter().members(of: "KUBE-6-IPVS-IPS")
            #expect(members.contains(Manifests.clusterIP) && !members.contains(World.node.outside), "\(members)")
            #expect(members.contains(Manifests.clusterIP6) && !members.contains(World.node.outside6), "\(members)")
        }

        /// For example, a load balancer agent may add a Service address to an interface of the node.
        @Test func `releases an address that another interface gets`() async throws {
            try await serveEverywhere()
            let address = Self.loadBalancerIP.v4
            try await Shell.output(in: "node1", "ip address add \(address)/32 dev eth0")
            try await world.kill()
            try await world.start()
            #expect(try await !NodeFilter().members(of: "KUBE-IPVS-IPS").contains(address))
            #expect(try await !Shell.output(in: "node1", "ip address show dev kube-ipvs0").contains(address))
            #expect(try await Answers.ask(from: "outside", "tcp", address, Manifests.port, "--count 1").responders == ["pod-a": 1])
            #expect(try await Answers.ask(from: "outside", "tcp", address, Self.closedPort, "--count 1").responders == ["host": 1])
            try await Shell.output(in: "node1", "ip address delete \(address)/32 dev eth0")
        }
    }
}
