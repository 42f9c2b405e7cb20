import FoundationEssentials
import KernelTestSupport
import Testing

extension Scenarios {
    /// Changes by other tools that the kernel announces, under traffic. The sync period is an hour, so that no audit finds them.
    @Suite struct `Announced changes` {
        let world = World.shared

        private static let flags = "--ipvs-sync-period 1h"
        private static let request = "--count 3"

        /// Prints what the proxy keeps on the device, in the rules that are announced, and in the sets of nftables: the same text for the
        /// same state.
        private static func state(_ filter: Filter) -> String {
            let rules =
                switch filter {
                case .tables:
                    "nft -s list table ip kube-ipvs-proxy; nft -s list table ip6 kube-ipvs-proxy"
                case .iptables: "iptables-nft-save | grep -e KUBE-; ip6tables-nft-save | grep -e KUBE-"
                case .unannounced: "true"
                }
            return """
                { ip -brief address show dev kube-ipvs0; ip -4 route show table local proto 118; ip -6 route show table local proto 118; \
                { \(rules); } | sed 's/\\[[0-9]*:[0-9]*\\]//'; } 2>/dev/null | tr -s ', {}' '\\n' | sort
                """
        }

        enum Filter { case tables, iptables, unannounced }

        /// Runs a command, waits until the state is as before, and prints when the proxy had repaired it.
        private func repair(of command: String, _ filter: Filter) async throws {
            let output = try await Shell.output(
                in: "node1",
                """
                before=$(\(Self.state(filter)))
                start=$(date +%s%N)
                \(command)
                end=$(date +%s%N)
                for i in $(seq 2000); do
                    if [ "$(\(Self.state(filter)))" = "$before" ]; then
                        repaired=$(grep 'Repaired external change' \(Place.log) | tail -n 1 | cut -d ' ' -f 2)
                        repaired=$(date -d "$repaired" +%s%N)
                        # The rules are in place before the line is logged.
                        ((repaired > start)) || repaired=$(date +%s%N)
                        echo "$(((end - start) / 1000000)) $(((repaired - start) / 1000000))"
                        exit
                    fi
                    sleep 0.02
                done
                echo "not repaired: $(diff <(echo "$before") <(\(Self.state(filter))))"
                exit 1
                """)
            let times = output.split(separator: "\n").last?.split(separator: " ").compactMap { Int($0) } ?? []
            try #require(times.count == 2, "\(output)")
            print("Repaired \(times[1]) ms after the start of the command, which took \(times[0]) ms: \(command)")
        }

        /// Expects that commands are repaired while clients send requests, which are all answered afterwards.
        private func expectRepairs(of commands: [String], _ filter: Filter, _ flags: String) async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            try await world.start(Self.flags, flags: flags)
            let client = try await TrafficClient.start(
                in: "pod-c", "ask tcp \(Manifests.clusterIP):\(Manifests.port) --interval-ms 20 --json")
            for command in commands {
                try await repair(of: command, filter)
                for address in [Manifests.clusterIP, Manifests.clusterIP6] {
                    for place in ["node1", "pod-a", "outside"] {
                        let answers = try await Answers.ask(from: place, "tcp", address, Manifests.port, Self.request)
                        #expect(answers.failed == 0, "\(place) to \(address) after \(command): \(answers)")
                    }
                }
            }
            let answers = try Answers.decode(try await client.finish())
            print("During all of them: \(answers.answered) requests answered, \(answers.failed) failed")
            #expect(answers.answered > 0)
            #expect(try await world.log().contains("Repaired external change"))
        }

        private static let device = [
            "ip address delete 10.96.0.10/32 dev kube-ipvs0", "ip -6 address delete fd00:96::10/128 dev kube-ipvs0",
            "ip address flush dev kube-ipvs0", "ip link delete kube-ipvs0",
            "ip link delete kube-ipvs0; ip link add kube-ipvs0 type dummy || true", "ip address add 10.96.77.77/32 dev kube-ipvs0",
        ]
        private static let routes = [
            "ip route delete local 10.96.0.10 table local proto 118", "ip -6 route delete local fd00:96::10 table local proto 118",
            "ip route flush table local proto 118; ip -6 route flush table local proto 118", "ip address flush dev kube-ipvs0",
            "ip link set kube-ipvs0 down", "ip link set kube-ipvs0 down; ip link set kube-ipvs0 up", "ip link delete kube-ipvs0",
            "ip address add 10.96.77.77/32 dev kube-ipvs0",
        ]

        @Test(arguments: [("address", device), ("route", routes)]) func `of the device are repaired without an audit`(
            kind: String, commands: [String]
        ) async throws {
            try await expectRepairs(of: commands, .unannounced, World.flags + " --service-addresses \(kind)")
        }

        private static let tables = [
            "nft flush set ip kube-ipvs-proxy KUBE-CLUSTER-IP", "nft flush chain ip kube-ipvs-proxy nat-KUBE-SERVICES",
            "nft flush table ip6 kube-ipvs-proxy", "nft delete table ip kube-ipvs-proxy", "nft flush ruleset",
            "nft add element ip kube-ipvs-proxy KUBE-CLUSTER-IP '{ 10.96.77.77 . tcp . 80 }'",
            "nft insert rule ip kube-ipvs-proxy nat-KUBE-SERVICES counter accept",
        ]

        @Test(.enabled("requires NAT of nftables", Filters.tablesWork)) func `of tables are repaired without an audit`() async throws {
            try await expectRepairs(of: Self.tables, .tables, Filters.nftables)
        }

        private static let iptables = [
            "iptables-nft -t nat -F", "ip6tables-nft -t filter -F", "iptables-nft -t nat -F KUBE-SERVICES",
            "iptables-nft -t nat -D PREROUTING 1", "iptables-nft -t filter -F; iptables-nft -t filter -X",
            "nft delete table ip nat", "nft flush ruleset", "iptables-nft -t nat -I KUBE-SERVICES -j RETURN",
        ]

        @Test(.enabled("requires iptables with NAT of nftables", Filters.bothWork)) func `of iptables-nft are repaired without an audit`()
            async throws
        {
            let flags = World.flags.replacing(Place.filterFlag, with: "--packet-filter iptables --iptables-backend nft")
            try await expectRepairs(of: Self.iptables, .iptables, flags)
        }

        /// The observations because of announcements so far.
        private func observations() async throws -> Int {
            let page = try await Shell.output(in: "node1", "curl --silent http://127.0.0.1:10249/metrics")
            return page.split(separator: "\n").filter { $0.hasPrefix("kube_ipvs_proxy_announced_observations_total") }
                .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0) { $0 + Int($1) }
        }

        @Test(.enabled("requires NAT of nftables", Filters.tablesWork)) func `of other tables, links and routes cause no observation`()
            async throws
        {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            try await world.start(Self.flags, flags: Filters.nftables)
            // An announcement of each part of this program's own changes may cause one.
            try await Task.sleep(for: .seconds(3))
            let before = try await observations()
            try await Shell.output(
                in: "node1",
                """
                nft 'add table ip other; add set ip other s { type ipv4_addr; }; add chain ip other c'
                for i in $(seq 300); do
                    echo "add element ip other s { 192.0.2.$((i % 250)) }; add rule ip other c counter; flush chain ip other c; flush set ip other s"
                done >/run/scenarios/noise
                while read -r line; do nft "$line"; done </run/scenarios/noise
                for i in $(seq 50); do
                    ip link add noise0 type dummy; ip link set noise0 up; ip address add 198.51.100.9/32 dev noise0
                    ip route add 203.0.113.0/24 dev noise0; ip route delete 203.0.113.0/24 dev noise0; ip link delete noise0
                done
                nft delete table ip other
                """)
            #expect(try await observations() == before)
            #expect(try await world.log().contains("Repaired") == false)
        }
    }
}
