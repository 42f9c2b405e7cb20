import FoundationEssentials
import KernelTestSupport
import Testing

extension Scenarios {
    /// kube-proxy served the node before, and serves it again afterwards.
    @Suite(.enabled(if: Place.hasIPTables, "kube-proxy in IPVS mode requires iptables and ipset")) struct `A node that kube-proxy served` {
        let world = World.shared
        let kubeProxy = KubeProxyState("dual-stack")
        private static let server = "10.101.0.80:80"
        private static let connections = 200
        /// Flags with the ranges of the cluster that kube-proxy served.
        private static let flags =
            "--manifests \(Place.manifests) --service-cluster-ip-range 10.96.0.0/12,fd00:10:96::/112 \(World.nodeFlags)"
        /// The node of the recorded state has no address on a bridge.
        private static let nodePortAddresses = "--nodeport-addresses 10.99.0.0/24,fd00:99::/64"
        private static let monitored = "\(Place.scratch)/monitor-takeover"

        /// State that is not from a node proxy: chains of the kubelet, and foreign virtual servers, sets and rules.
        private static let foreign = """
            ipvsadm -A -t 192.0.2.10:80 -s wlc; ipvsadm -a -t 192.0.2.10:80 -r 192.0.2.20:80 -g -w 3; ipvsadm -A -f 7 -s lc
            ipset create MINE hash:ip; ipset add MINE 192.0.2.1
            for iptables in iptables-\(Place.iptables) ip6tables-\(Place.iptables); do
                $iptables -t mangle -N KUBE-KUBELET-CANARY; $iptables -t mangle -N KUBE-IPTABLES-HINT
                $iptables -N KUBE-FIREWALL; $iptables -A INPUT -j KUBE-FIREWALL
                $iptables -t nat -N KUBE-KUBELET-CANARY; $iptables -t nat -N KUBE-MARK-DROP; $iptables -t nat -A KUBE-MARK-DROP -j MARK --set-mark 0x8000/0x8000
            done
            iptables-\(Place.iptables) -t nat -A POSTROUTING -s 172.17.0.0/16 -j MASQUERADE; iptables-\(Place.iptables) -A FORWARD -m set --match-set MINE src -j DROP
            """

        /// Adds the endpoints of the objects to the pods.
        private func makeEndpoints() async throws {
            try await Shell.output(
                """
                ip -netns pod-a address replace 10.244.0.2/32 dev eth0; ip -netns pod-a address replace fd00:244::2/128 dev eth0 nodad
                ip -netns node1 route replace 10.244.0.2/32 dev cni0; ip -netns node1 route replace fd00:244::2/128 dev cni0
                serve_traffic nginx --name golden --http 8080
                """)
        }

        private func removeEndpoints() async throws {
            try await Shell.output(
                """
                ip -netns pod-a address delete 10.244.0.2/32 dev eth0; ip -netns pod-a address delete fd00:244::2/128 dev eth0
                ip -netns node1 route delete 10.244.0.2/32; ip -netns node1 route delete fd00:244::2/128
                """)
        }

        private func holdConnections() async throws -> TrafficClient {
            let client = try await TrafficClient.start(
                in: "outside", "hold tcp \(Self.server) --connections \(Self.connections) --interval-ms 500")
            try await world.wait(for: "the connections") { try await establishedConnections() == Self.connections }
            return client
        }

        private func establishedConnections() async throws -> Int {
            Int(try await Shell.output(in: "node1", "ipvsadm -L -n -c | grep ESTABLISHED | grep -cF ' \(Self.server) ' || true")) ?? -1
        }

        /// Returns the connection counter, which a recreated virtual server would have lost.
        private func countedConnections() async throws -> Int {
            let columns = try await Shell.output(in: "node1", "ipvsadm -L -n --stats --exact | grep -F ' \(Self.server) '").split(
                separator: " ")
            return Int(columns.dropFirst(2).first ?? "") ?? -1
        }

        /// Runs `body` and returns the changes of links and addresses of the node.
        private func monitoring(_ body: () async throws -> Void) async throws -> String {
            let process = try await Shell.output(
                "setsid ip netns exec node1 ip monitor link address </dev/null >\(Self.monitored) 2>&1 & echo $!")
            // A change that it must report, so that empty output is meaningful.
            try await world.wait(for: "the monitor") {
                try await Shell.output(in: "node1", "ip link set lo mtu 60000; ip link set lo mtu 65536; wc -l <\(Self.monitored)") != "0"
            }
            try await body()
            try await Shell.output("kill \(process)")
            return try String(ofFile: Self.monitored)
        }

        private func cleanUp(_ more: String = "") async throws -> String {
            try await Shell.output(
                in: "node1", "\(Place.proxy) cleanup \(Place.filterFlag) --state-directory \(Place.state) \(more)")
        }

        private struct Steps: Decodable {
            struct Step: Decodable { var operation: String, command: String }
            var operations: [Step]
        }

        /// Expects that a dry run lists the commands and changes nothing.
        private func expectDryRun() async throws {
            let before = try await KubeProxyState.dump()
            let commands = try await cleanUp("--dry-run").split(separator: "\n").map(String.init)
            for command in [
                "ipvsadm -D -t 10.101.0.80:80", "ipvsadm -D -t [fd00:99::2]:30088", "ip link delete kube-ipvs0",
                "ipset destroy KUBE-6-CLUSTER-IP",
                "iptables-\(Place.iptables)-restore --noflush (remove 9 jumps, 11 chains)",
                "ip6tables-\(Place.iptables)-restore --noflush (remove 9 jumps, 11 chains)",
            ] { #expect(commands.contains(command), "\(command): \(commands)") }
            #expect(!commands.contains { $0.contains("192.0.2.") || $0.contains("MINE") || $0.contains("-f 7") })
            let steps = try JSONDecoder().decode(Steps.self, from: Data(try await cleanUp("--dry-run -o json").utf8))
            #expect(steps.operations.map(\.command) == commands)
            #expect(try await KubeProxyState.dump() == before)
        }

        @Test func `is taken over, handed back and cleaned up without breaking a connection`() async throws {
            try await world.begin()
            try await makeEndpoints()
            try await Shell.output(in: "node1", Self.foreign)
            let before = try await KubeProxyState.dump()
            try await kubeProxy.load()
            try await kubeProxy.writeObjects()
            let served = try await KubeProxyState.dump()
            let client = try await holdConnections()

            let plan = try await Shell.output(in: "node1", "\(Place.proxy) plan \(Self.flags) \(Self.nodePortAddresses)").split(
                separator: "\n")
            let more = plan.filter {
                !$0.hasPrefix("iptables-restore") && !$0.hasPrefix("ip6tables-restore") && !$0.contains("NO-LOCAL-ENDPOINTS")
            }
            #expect(more.isEmpty && !plan.isEmpty, "a start changes only rules: \(plan)")

            // The kernel sums its counters every two seconds (net/netfilter/ipvs/ip_vs_est.c).
            try await world.wait(for: "the counter") { try await countedConnections() >= Self.connections }
            let counted = try await countedConnections()
            let seen = try await monitoring { try await world.start(Self.nodePortAddresses, flags: Self.flags) }
            #expect(!seen.contains("Deleted") && !seen.contains("kube-ipvs0"), "\(seen)")
            #expect(try await countedConnections() >= counted, "the virtual server was not recreated")
            #expect(try await establishedConnections() == Self.connections)
            let adopted = try await KubeProxyState.dump()
            let changed = Set(adopted).symmetricDifference(served).filter {
                !$0.contains("KUBE-IPVS-FILTER") && !$0.contains("NO-LOCAL-ENDPOINTS")
            }
            #expect(changed.isEmpty, "\(changed)")

            // Back to kube-proxy: it finds its own state, except for the set and rules that docs/differences.md describes.
            try await world.terminate()
            try await kubeProxy.restoreRulesAsRestart()
            #expect(try await KubeProxyState.dump().filter { !$0.contains("NO-LOCAL-ENDPOINTS") } == served)
            #expect(try await establishedConnections() == Self.connections)
            let held = try await client.finish()
            #expect(held.contains("broken 0"), "\(held)")

            try await expectDryRun()
            let output = try await cleanUp()
            #expect(output.contains("removed 5 virtual servers, 3 addresses, 36 sets, 22 chains, 0 nftables tables"), "\(output)")
            #expect(try await KubeProxyState.dump() == before)
            try await removeEndpoints()
        }
    }
}
