import KernelTestSupport
import Testing

extension Scenarios {
    /// State of the proxy is repaired; other state is not changed.
    @Suite struct `The kernel` {
        let world = World.shared

        private func serveWeb(_ flags: String = "") async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            try await world.start(flags)
        }

        private func dump() async throws -> [String] {
            let servers = try await Shell.output(
                in: "node1", "ipvsadm -S -n | sort; ip -oneline address show dev kube-ipvs0 | awk '{print $4}' | grep -v ^fe80 | sort")
            return try await [servers] + NodeFilter().dump()
        }

        private static let externalChanges =
            [
                "ipvsadm -D -t 10.96.0.10:80", "ipvsadm -d -u 10.96.0.10:80 -r 10.244.1.10:8080",
                "ipvsadm -e -t 10.96.0.10:80 -r 10.244.1.11:8080 -m -w 7",
                "ipvsadm -E -t 10.99.0.2:30080 -s wlc", "ipvsadm -C", "ipvsadm -a -t 10.96.0.10:80 -r 192.0.2.1:80 -m",
                "ip address delete 10.96.0.10/32 dev kube-ipvs0",
                "ip address add 10.96.77.77/32 dev kube-ipvs0", "ip link delete kube-ipvs0",
                NodeFilter.removing("10.96.0.10,tcp:80", from: "KUBE-CLUSTER-IP"),
                NodeFilter.adding("10.96.9.9,tcp:9", to: "KUBE-CLUSTER-IP"),
            ] + (Place.hasIPTables ? changesOfIPTables : changesOfNFTables)

        private static let changesOfIPTables = [
            "ipset flush", "iptables-\(Place.iptables) -t nat -F KUBE-SERVICES", "iptables-\(Place.iptables) -t nat -F OUTPUT",
            "ip6tables-\(Place.iptables) -t filter -D INPUT -m comment --comment 'kubernetes ipvs access filter' -j KUBE-IPVS-FILTER",
            "iptables-\(Place.iptables) -F; iptables-\(Place.iptables) -X",
        ]

        private static let changesOfNFTables: [String] = {
            let (table, table6) = (NodeFilter.table(isV6: false), NodeFilter.table(isV6: true))
            return [
                "nft flush set \(table) KUBE-CLUSTER-IP", "nft flush set \(table6) KUBE-6-NODE-PORT-TCP",
                "nft flush chain \(table) nat-KUBE-SERVICES",
                "nft flush chain \(table) nat-output",
                "nft delete rule \(table6) filter-input handle $(nft -a list chain \(table6) filter-input | sed -n '/KUBE-IPVS-FILTER/s/.*handle //p')",
                "nft add rule \(table) filter-KUBE-FORWARD drop", "nft insert rule \(table) nat-postrouting accept",
                "nft flush table \(table)", "nft delete table \(table6)",
                "nft flush ruleset",
            ]
        }()

        @Test func `is repaired after any external change`() async throws {
            try await serveWeb("--ipvs-sync-period 2s")
            let good = try await dump()
            for externalChange in Self.externalChanges {
                try await Shell.output(in: "node1", externalChange)
                try await world.wait(for: "repair after \(externalChange)") { try await dump() == good }
            }
        }

        @Test func `keeps foreign virtual servers through sync, restart and cleanup`() async throws {
            try await world.begin()
            let others = """
                -A -t 192.0.2.10:80 -s wlc
                -a -t 192.0.2.10:80 -r 192.0.2.20:80 -g -w 3
                -A -t 10.99.0.2:8443 -s rr
                -A -f 7 -s lc -p 300
                -a -f 7 -r 192.0.2.21:0 -m -w 1
                """
            try await Shell.output(in: "node1", "ipvsadm -R <<'END'\n\(others)\nEND")
            let before = try await Shell.output(in: "node1", "ipvsadm -S -n | sort")
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            try await world.start("--ipvs-sync-period 1s")
            try await Task.sleep(for: .seconds(3))
            try await world.kill()
            try await world.start("--ipvs-sync-period 1s")
            let during = try await Shell.output(in: "node1", "ipvsadm -S -n | sort").split(separator: "\n").map(String.init)
            for line in before.split(separator: "\n") { #expect(during.contains(String(line)), "\(line)") }
            try await world.kill()
            try await Shell.output(
                in: "node1", "\(Place.proxy) cleanup \(Place.filterFlag) --state-directory \(Place.state)")
            #expect(try await Shell.output(in: "node1", "ipvsadm -S -n | sort") == before)
        }

        /// Rules and sets of others, some with names of node proxies.
        private static let foreignRules =
            Place.hasIPTables
            ? """
            iptables-\(Place.iptables) -t nat -A POSTROUTING -s 172.17.0.0/16 -j MASQUERADE; iptables-\(Place.iptables) -N KUBE-FIREWALL; iptables-\(Place.iptables) -A INPUT -j KUBE-FIREWALL
            ipset create MINE hash:ip; ipset add MINE 192.0.2.1; iptables-\(Place.iptables) -A FORWARD -m set --match-set MINE src -j DROP
            """
            : """
            nft -f - <<'END'
            table ip mine {
              set KUBE-CLUSTER-IP { type ipv4_addr; elements = { 192.0.2.1 }; }
              chain filter-KUBE-FORWARD { ip saddr @KUBE-CLUSTER-IP drop; }
              chain forward { type filter hook forward priority filter; jump filter-KUBE-FORWARD; }
              chain postrouting { type nat hook postrouting priority srcnat; ip saddr 172.17.0.0/16 masquerade; }
            }
            END
            """

        @Test func `is restored by cleanup, with foreign rules and sets unchanged`() async throws {
            try await world.begin()
            func everything() async throws -> [String] {
                let settings = try await Shell.output(
                    in: "node1",
                    "ip -oneline link | awk '{print $2}'; cd /proc/sys/net/ipv4; "
                        + "cat ip_forward vs/conntrack vs/expire_nodest_conn vs/expire_quiescent_template")
                return try await [settings] + NodeFilter().dump()
            }
            try await Shell.output(
                in: "node1",
                """
                \(Self.foreignRules)
                for name in conntrack expire_nodest_conn expire_quiescent_template; do echo 0 >/proc/sys/net/ipv4/vs/$name; done
                """)
            let before = try await everything()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            try await world.start()
            #expect(try await everything() != before)
            try await world.kill()
            try await Shell.output(
                in: "node1", "\(Place.proxy) cleanup \(Place.filterFlag) --state-directory \(Place.state)")
            #expect(try await everything() == before)
            #expect(try await Shell.output(in: "node1", "ipvsadm -S -n") == "")
        }

        @Test(.enabled(if: Place.hasIPTables, "other tables of nftables cannot use a set"))
        func `keeps a set that a foreign rule uses, and cleanup reports why`() async throws {
            try await serveWeb()
            try await world.kill()
            try await Shell.output(in: "node1", "iptables-\(Place.iptables) -A FORWARD -m set --match-set KUBE-CLUSTER-IP dst -j ACCEPT")
            let cleanup = "ip netns exec node1 \(Place.proxy) cleanup \(Place.filterFlag) --state-directory \(Place.state)"
            let result = try await Shell.attempt(cleanup)
            #expect(!result.succeeded)
            #expect(result.output.contains("ipset destroy KUBE-CLUSTER-IP: the set is in use by a rule or another set"), "\(result.output)")
            #expect(try await Shell.output(in: "node1", "ipset list -n") == "KUBE-CLUSTER-IP")
            try await Shell.output(in: "node1", "iptables-\(Place.iptables) -D FORWARD -m set --match-set KUBE-CLUSTER-IP dst -j ACCEPT")
            try await Shell.output(cleanup)
            #expect(try await Shell.output(in: "node1", "ipset list -n") == "")
        }

        @Test func `loses the state of an earlier run for a deleted Service`() async throws {
            try await serveWeb()
            try await world.kill()
            try await world.write("web.yaml", Manifests.web(address: "10.96.0.20", address6: "fd00:96::20", nodePort: 30090))
            try await world.start()
            let servers = try await Shell.output(in: "node1", "ipvsadm -S -n")
            #expect(
                !servers.contains("10.96.0.10") && !servers.contains("30080") && servers.contains("10.96.0.20:80")
                    && servers.contains("10.99.0.2:30090"))
            #expect(try await !Shell.output(in: "node1", "ip address show dev kube-ipvs0").contains("10.96.0.10/"))
        }

        @Test func `replaces a set that is too small without losing its members at any time`() async throws {
            try await world.begin()
            try await Shell.output(
                in: "node1",
                Place.hasIPTables
                    ? "ipset create KUBE-CLUSTER-IP hash:ip,port maxelem 2; ipset add KUBE-CLUSTER-IP 10.96.0.10,tcp:80"
                    : """
                    nft add table \(NodeFilter.table(isV6: false))
                    nft add set \(NodeFilter.table(isV6: false)) KUBE-CLUSTER-IP '{ type ipv4_addr . inet_proto . inet_service; size 2; }'
                    \(NodeFilter.adding("10.96.0.10,tcp:80", to: "KUBE-CLUSTER-IP"))
                    """)
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            try await world.start()
            #expect(try await NodeFilter().members(of: "KUBE-CLUSTER-IP").count == 3)
            #expect(try await !NodeFilter().sets().contains { $0.contains("swap") })
        }
    }
}
