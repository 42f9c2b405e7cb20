import KernelTestSupport
import Testing

extension Scenarios {
    /// A node on which both packet filters work.
    @Suite(.enabled("requires iptables, ipset and NAT of nftables", Filters.bothWork)) struct `The choice of the packet filter` {
        let world = World.shared

        /// Clients with connections that stay, and clients with new ones.
        private func startClients() async throws -> (held: [TrafficClient], asking: [TrafficClient]) {
            let (node, service) = ("\(World.node.outside):\(Manifests.nodePort)", "\(Manifests.clusterIP):\(Manifests.port)")
            let held = [
                try await TrafficClient.start(in: "outside", "hold tcp \(node) --connections 30 --interval-ms 200"),
                try await TrafficClient.start(in: "pod-c", "hold tcp \(service) --connections 30 --interval-ms 200"),
                try await TrafficClient.start(in: "outside", "hold tcp \(Filters.balancer):80 --connections 10 --interval-ms 200"),
            ]
            let asking = [
                try await TrafficClient.start(in: "outside", "ask tcp \(node) --interval-ms 20 --json"),
                try await TrafficClient.start(in: "pod-c", "ask tcp \(service) --interval-ms 20 --json"),
                try await TrafficClient.start(in: "pod-a", "ask udp [\(Manifests.clusterIP6)]:\(Manifests.port) --interval-ms 20 --json"),
                try await TrafficClient.start(in: "outside", "ask tcp \(Filters.balancer):80 --interval-ms 20 --json"),
            ]
            try await world.wait(for: "the connections") {
                try await Shell.output(in: "node1", "ipvsadm -L -n -c | grep -c ESTABLISHED || true") >= "70"
            }
            return (held, asking)
        }

        /// Rules and sets without the sets' hash seeds.
        private func iptablesState() async throws -> Set<String> {
            Set(try await NodeFilter().dump().filter { $0.contains("KUBE-") }.map { $0.replacing(/\ initval 0x[0-9a-f]+/, with: "") })
        }

        /// Restarts the proxy with the other packet filter.
        private func change(to flags: String) async throws {
            try await world.terminate()
            try await world.start(flags: flags)
        }

        @Test func `changes in both directions without a failed request or a broken connection, and leaves nothing of the other one`()
            async throws
        {
            try await Filters.begin()
            try await world.start(flags: Filters.flags("iptables"))
            try await Filters.expectTraffic("iptables")
            #expect(try await Filters.ours().isEmpty)
            let before = try await iptablesState()
            let (held, asking) = try await startClients()

            try await change(to: Filters.nftables)
            try await world.wait(for: "the removal of iptables rules and ipsets") { try await Filters.iptables().isEmpty }
            #expect(try await Filters.ours()["\(Filters.table) set KUBE-CLUSTER-IP"]?.elements.isEmpty == false)
            try await Filters.expectTraffic("nftables")

            try await change(to: Filters.flags("iptables"))
            try await world.wait(for: "the removal of the tables") { try await Filters.ours().isEmpty }
            try await Filters.expectTraffic("iptables again")
            let after = try await iptablesState()
            #expect(after == before, "\(after.symmetricDifference(before))")

            for client in held {
                let output = try await client.finish()
                #expect(output.contains("broken 0"), "\(output)")
            }
            for client in asking {
                let answers = try Answers.decode(try await client.finish())
                #expect(answers.failed == 0 && answers.answered > 100, "\(answers)")
            }
            let log = try await world.log()
            #expect(!log.contains("Operation failed"), "\(log.suffix(3000))")
        }

        @Test func `is iptables by default if it works`() async throws {
            try await Filters.begin()
            try await world.start(flags: Filters.flags("auto"))
            let log = try await world.log()
            let line = log.split(separator: "\n").first { $0.contains("\"Selected packet filter\"") } ?? ""
            #expect(line.contains("packetFilter=\"iptables\"") && line.contains("iptables and ipset work on this node"), "\(line)")
            #expect(try await !Filters.iptables().isEmpty)
            #expect(try await Filters.ours().isEmpty)
        }

        /// A directory with the programs of this machine, except those of iptables, and a command that uses it.
        private func withoutIPTables() async throws -> String {
            let folder = "\(Place.scratch)/without-iptables"
            try await Shell.output(
                """
                rm -rf \(folder); mkdir \(folder)
                ln -s /usr/bin/* /usr/sbin/* \(folder) 2>/dev/null || true
                rm -f \(folder)/iptables* \(folder)/ip6tables* \(folder)/xtables*
                """)
            return "env PATH=\(folder)"
        }

        @Test func `is nftables by default if the programs of iptables are missing, with the reason`() async throws {
            try await Filters.begin()
            let wrapper = try await withoutIPTables()
            try await world.launch(flags: Filters.flags("auto"), through: wrapper)
            try await world.waitForLog("Kernel state in sync")
            let log = try await world.log()
            let line = log.split(separator: "\n").first { $0.contains("\"Selected packet filter\"") } ?? ""
            #expect(line.contains("packetFilter=\"nftables\"") && line.contains("iptables does not work on this node: "), "\(line)")
            #expect(line.contains("(\(Place.iptables): not found): install iptables"), "\(line)")
            #expect(try await Filters.iptables().isEmpty)
            try await Filters.expectTraffic("without iptables")
        }

        @Test func `ends the start if iptables is requested and its programs are missing`() async throws {
            try await Filters.begin()
            let wrapper = try await withoutIPTables()
            let result = try await Shell.attempt(
                "ip netns exec node1 \(wrapper) timeout 120 \(Place.proxy) \(Filters.flags("iptables"))")
            let last = result.output.split(separator: "\n").last ?? ""
            #expect(
                !result.succeeded && last.hasPrefix("Error: ") && last.contains("(\(Place.iptables): not found): install iptables"),
                "\(result.output)")
            #expect(try await Filters.ours().isEmpty)
            #expect(try await Filters.iptables().isEmpty)
        }
    }

    /// The tables of this program in a kernel that may have iptables too.
    @Suite(.enabled("requires NAT of nftables", Filters.tablesWork)) struct `The packet filter nftables` {
        let world = World.shared
        private static let state = "--state-directory \(Place.state)"

        private static let changes = [
            "nft flush ruleset",
            "nft delete element \(Filters.table) KUBE-CLUSTER-IP '{ 10.96.0.10 . tcp . 80 }'",
            "nft add element \(Filters.table6) KUBE-6-CLUSTER-IP '{ fd00:96::99 . udp . 9 }'",
            "nft insert rule \(Filters.table) filter-KUBE-PROXY-FIREWALL ip daddr 10.96.0.10 drop",
            "nft add rule \(Filters.table) nat-output counter accept",
            "nft flush chain \(Filters.table) filter-input; nft delete chain \(Filters.table) filter-input",
            "nft chain \(Filters.table) filter-forward '{ policy drop; }'",
            "nft chain \(Filters.table6) filter-input '{ policy drop; }'",
        ]

        @Test func `repairs what others change, and logs it`() async throws {
            try await Filters.begin()
            try await world.start("--ipvs-sync-period 2s", flags: Filters.nftables)
            let good = try await Filters.ours()
            for change in Self.changes {
                let before = try await repairs()
                try await Shell.output(in: "node1", change)
                try await world.wait(for: "log of the repair after \(change)") { try await repairs() > before }
                try await world.wait(for: "repair after \(change)") { try await Filters.ours() == good }
            }
            try await Filters.expectTraffic("repaired")
        }

        /// The number of syncs that logged a repair.
        private func repairs() async throws -> Int {
            try await world.log().split(separator: "\n").count { $0.contains("\"Repaired external change\"") }
        }

        /// A shortened table of kube-proxy in nftables mode, whose endpoint does not answer.
        private static func leftover(_ family: String, _ service: String, _ endpoint: String) -> String {
            """
            table \(family) kube-proxy {
              chain service-AAAA { meta l4proto tcp dnat to \(endpoint); }
              map service-ips {
                type \(family == "ip" ? "ipv4_addr" : "ipv6_addr") . inet_proto . inet_service : verdict
                elements = { \(service) . tcp . 80 : goto service-AAAA }
              }
              chain services { \(family) daddr . meta l4proto . th dport vmap @service-ips; }
              chain nat-prerouting { type nat hook prerouting priority dstnat; jump services; }
              chain nat-output { type nat hook output priority -100; jump services; }
            }

            """
        }

        @Test func `removes the tables that kube-proxy's nftables mode left, and no others`() async throws {
            try await Filters.begin()
            try await Shell.output(
                in: "node1",
                """
                nft -f - <<'END'
                \(Self.leftover("ip", Manifests.clusterIP, "10.244.9.9:8080"))
                \(Self.leftover("ip6", Manifests.clusterIP6, "[fd00:244:9::9]:8080"))
                table inet kube-proxy { chain mine { counter; }; }
                END
                """)
            let plan = try await Shell.output(in: "node1", "\(Place.proxy) plan \(Filters.nftables)").split(separator: "\n")
            for family in ["ip", "ip6"] { #expect(plan.contains("nft delete table \(family) kube-proxy"), "\(plan)") }
            try await world.start(flags: Filters.nftables)
            try await world.wait(for: "the removal of the tables") {
                try await Set(Filters.ruleset().objects.keys).isDisjoint(with: ["ip kube-proxy", "ip6 kube-proxy"])
            }
            #expect(try await Filters.ruleset().objects["inet kube-proxy chain mine"] != nil)
            try await Filters.expectTraffic("without kube-proxy's tables")
        }

        /// Source ranges, and whether they contain the external client.
        private static let ranges: [(ranges: [String], hasClient: Bool)] = [
            (["10.0.0.0/8", "10.1.0.0/16"], true), (["10.1.0.0/16"], false), (["10.0.0.0/8"], true),
            (["10.99.0.0/16", "10.1.0.0/16"], true),
            (["10.99.0.1/32"], true), (["10.0.0.0/8", "10.99.0.1/32"], true), (["10.98.0.0/16", "10.99.0.2/31"], false),
            (["0.0.0.0/0"], true), (["0.0.0.0/4"], true), (["0.0.0.0/5"], false), (["10.99.0.0/31", "10.99.0.0/30", "10.99.0.0/24"], true),
            (["10.0.0.0/8", "10.1.0.0/16"], true),
        ]

        @Test func `follows source ranges that overlap, from wide to narrow and back`() async throws {
            try await Filters.begin(Self.ranges[0].ranges)
            try await world.start(flags: Filters.nftables)
            for (ranges, hasClient) in Self.ranges + Self.ranges.reversed() {
                try await Filters.writeBalancer(ranges)
                try await world.wait(for: "access \(hasClient) with \(ranges)") {
                    try await Filters.reachesBalancer(from: "outside") == hasClient
                }
                try await world.wait(for: "elements of \(ranges)") {
                    try await Shell.output(in: "node1", "\(Place.proxy) plan \(Filters.nftables)").isEmpty
                }
                #expect(try await Filters.reachesBalancer(from: "outside") == hasClient, "\(ranges)")
            }
            let log = try await world.log()
            #expect(!log.split(separator: "\n").contains { $0.hasPrefix("E") || $0.contains("Operation failed") }, "\(log.suffix(4000))")
            #expect(!log.contains("Repaired external change"), "\(log.suffix(4000))")
        }

        @Test func `is printed by plan as commands that create the sets`() async throws {
            try await Filters.begin()
            let plan = try await Shell.output(in: "node1", "\(Place.proxy) plan \(Filters.nftables)").split(separator: "\n")
            let commands = plan.filter { $0.hasPrefix("nft add set ") || $0.hasPrefix("nft add element ") }
            #expect(!commands.isEmpty, "\(plan)")
            let script = commands.map { "sh -c \(Shell.quoted(String($0)))" }.joined(separator: "\n")
            try await Shell.output(in: "node1", "nft add table \(Filters.table); nft add table \(Filters.table6)\n\(script)")
            let planned = try await sets()
            try await Shell.output(in: "node1", "nft flush ruleset")
            try await world.start(flags: Filters.nftables)
            let created = try await sets()
            #expect(planned == created)
            #expect(created["\(Filters.table) set KUBE-CLUSTER-IP"]?.elements.contains("10.96.0.10 . tcp . 80") == true, "\(created)")
        }

        /// The sets for addresses and ports.
        private func sets() async throws -> [String: Ruleset.Object] { try await Filters.ours().filter { $0.key.contains(" set KUBE-") } }

        @Test func `is explained and checked by status`() async throws {
            try await Filters.begin()
            try await world.start(flags: Filters.nftables)
            func status(_ arguments: String) async throws -> String {
                try await Shell.attempt("ip netns exec node1 \(Place.proxy) status \(arguments) \(Self.state)").output
            }
            let explained = try await status("explain 10.96.0.10:80")
            #expect(explained.contains("@KUBE-CLUSTER-IP") && explained.contains("No obstacles found."), "\(explained)")
            #expect(!explained.contains("--match-set") && !explained.contains("-j "), "\(explained)")
            #expect(try await status("check") == "Kernel state in sync with the running proxy.")
            try await Shell.output(in: "node1", "nft delete element \(Filters.table) KUBE-CLUSTER-IP '{ 10.96.0.10 . tcp . 80 }'")
            let checked = try await status("check")
            #expect(checked.contains("nft add element \(Filters.table) KUBE-CLUSTER-IP { 10.96.0.10 . tcp . 80 }"), "\(checked)")
        }

        @Test func `is removed by cleanup, which counts its tables`() async throws {
            try await Filters.begin()
            try await Shell.output(in: "node1", "nft 'add table ip mine; add chain ip mine KUBE-SERVICES'")
            let before = try await Filters.ruleset()
            try await world.start(flags: Filters.nftables)
            try await world.kill()
            let cleanup = "\(Place.proxy) cleanup \(Self.state)"
            let commands = try await Shell.output(in: "node1", "\(cleanup) --dry-run").split(separator: "\n")
            for table in [Filters.table, Filters.table6] { #expect(commands.contains("nft delete table \(table)"), "\(commands)") }
            let output = try await Shell.output(in: "node1", cleanup)
            #expect(output.contains("0 sets, 0 chains, 2 nftables tables"), "\(output)")
            #expect(try await Filters.ruleset() == before)
        }
    }
}
