import KernelTestSupport
import Testing

extension Scenarios {
    /// kube-proxy ran in another mode before, or another node proxy is still running.
    @Suite struct `Leftovers and other programs` {
        let world = World.shared

        /// Shortened leftovers of iptables mode, among chains of the kubelet and an operator.
        private static let rules = """
            *mangle
            :KUBE-IPTABLES-HINT - [0:0]
            :KUBE-KUBELET-CANARY - [0:0]
            :KUBE-PROXY-CANARY - [0:0]
            COMMIT
            *filter
            :KUBE-EXTERNAL-SERVICES - [0:0]
            :KUBE-FIREWALL - [0:0]
            :KUBE-FORWARD - [0:0]
            :KUBE-NODEPORTS - [0:0]
            :KUBE-PROXY-CANARY - [0:0]
            :KUBE-PROXY-FIREWALL - [0:0]
            :KUBE-SERVICES - [0:0]
            -A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
            -A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
            -A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
            -A INPUT -j KUBE-FIREWALL
            -A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
            -A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
            -A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
            -A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
            COMMIT
            *nat
            :KUBE-EXT-AAAA - [0:0]
            :KUBE-MARK-DROP - [0:0]
            :KUBE-MARK-MASQ - [0:0]
            :KUBE-NODEPORTS - [0:0]
            :KUBE-POSTROUTING - [0:0]
            :KUBE-SEP-CCCC - [0:0]
            :KUBE-SEP-DDDD - [0:0]
            :KUBE-SERVICES - [0:0]
            :KUBE-SVC-BBBB - [0:0]
            :KUBE-SVC-EEEE - [0:0]
            :OPERATORS - [0:0]
            -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
            -A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
            -A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
            -A KUBE-EXT-AAAA -j KUBE-MARK-MASQ
            -A KUBE-EXT-AAAA -j KUBE-SVC-BBBB
            -A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000
            -A KUBE-NODEPORTS -p tcp -m tcp --dport 30080 -j KUBE-EXT-AAAA
            -A KUBE-SEP-CCCC -s <address> -j KUBE-MARK-MASQ
            -A KUBE-SEP-CCCC -p tcp -m comment --comment "default/web:tcp" -m tcp -j DNAT --to-destination <target>
            -A KUBE-SERVICES -d <service> -p tcp -m comment --comment "default/web:tcp cluster IP" -m tcp --dport 80 -j KUBE-SVC-BBBB
            -A KUBE-SERVICES -m comment --comment "kubernetes service nodeports" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
            -A KUBE-SVC-BBBB -m comment --comment "default/web:tcp" -j KUBE-SEP-CCCC
            -A KUBE-SVC-EEEE -j KUBE-SEP-DDDD
            -A OPERATORS -p tcp -m tcp --dport 8443 -j KUBE-SVC-EEEE
            COMMIT

            """

        /// Loads rules to an endpoint that does not answer: only leftover rules lead to it.
        private func load() async throws {
            let families = [
                ("iptables", "10.244.9.9/32", "10.244.9.9:8080", Manifests.clusterIP),
                ("ip6tables", "fd00:244:9::9/128", "[fd00:244:9::9]:8080", Manifests.clusterIP6),
            ]
            for (program, address, target, service) in families {
                let text = Self.rules.replacing("<address>", with: address).replacing("<target>", with: target).replacing(
                    "<service>", with: service)
                try await Shell.output(in: "node1", "\(program)-\(Place.iptables)-restore --noflush <<'END'\n\(text)END")
            }
        }

        private static let dump =
            "for f in iptables ip6tables; do for t in mangle filter nat; do $f-\(Place.iptables)-save -t $t | grep -v '^#' | sed 's/ \\[.*//'; done; done"

        @Test(.enabled(if: Place.hasIPTables, "requires iptables"))
        func `rules that kube-proxy left in iptables mode are removed at startup, and no other rules`() async throws {
            try await world.begin()
            try await load()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            let plan = try await Shell.output(in: "node1", "\(Place.proxy) plan \(World.flags)").split(separator: "\n").map(String.init)
            for program in ["iptables", "ip6tables"] {
                let removal = "\(program)-restore --noflush (remove 6 jumps, 9 chains left by kube-proxy's iptables mode)"
                #expect(plan.contains(removal), "\(plan)")
            }
            try await world.start()
            let log = try await world.log()
            // Each family is removed separately, in one sync or in two.
            let removals = log.matches(of: /removeLeftoverRules="([0-9]+)"/).compactMap { Int($0.1) }
            #expect(removals.reduce(0, +) == 2, "\(log.suffix(3000))")

            let rules = try await Shell.output(in: "node1", Self.dump)
            for name in [
                "KUBE-EXT-", "KUBE-NODEPORTS", "KUBE-SEP-CCCC", "KUBE-SVC-BBBB", "KUBE-PROXY-CANARY", "KUBE-EXTERNAL-SERVICES",
                "load balancer firewall",
            ] {
                #expect(!rules.contains(name), "\(name)")
            }
            for name in [
                "KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY", "KUBE-FIREWALL", "KUBE-MARK-DROP", "OPERATORS", "KUBE-SVC-EEEE",
                "KUBE-SEP-DDDD",
            ] {
                #expect(rules.contains(name), "\(name)")
            }
            for address in [Manifests.clusterIP, World.node.outside] {
                let answers = try await Answers.ask(
                    from: "outside", "tcp", address, address == Manifests.clusterIP ? Manifests.port : Manifests.nodePort)
                #expect(answers.failed == 0 && answers.responders.count == 3, "\(answers)")
            }
            #expect(try await Shell.output(in: "node1", "\(Place.proxy) plan \(World.flags)").isEmpty, "a second start has no operations")
        }

        @Test(.enabled(if: Place.hasIPTables, "requires iptables"))
        func `rules that another mode left are removed by cleanup, even if our proxy never ran`() async throws {
            try await world.begin()
            let before = try await Shell.output(in: "node1", Self.dump)
            try await load()
            // Rules of an operator that jump to kube-proxy's chains would keep these chains.
            try await Shell.output(
                in: "node1",
                "for f in iptables ip6tables; do $f-\(Place.iptables) -t nat -F OPERATORS; $f-\(Place.iptables) -t nat -X OPERATORS; done")
            let output = try await Shell.output(
                in: "node1", "\(Place.proxy) cleanup \(Place.filterFlag) --state-directory \(Place.state)")
            #expect(output.contains(" 32 chains"), "\(output)")
            let after = try await Shell.output(in: "node1", Self.dump).split(separator: "\n")
            let added = Set(after).subtracting(before.split(separator: "\n")).filter { $0.contains("KUBE") }
            #expect(
                added == [
                    ":KUBE-IPTABLES-HINT -", ":KUBE-KUBELET-CANARY -", ":KUBE-FIREWALL -", "-A INPUT -j KUBE-FIREWALL", ":KUBE-MARK-DROP -",
                    "-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000",
                ], "only the kubelet's chains are left")
        }

        @Test func `another node proxy that starts later is reported, and ours goes on serving`() async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            // Without its metrics, the port is free.
            try await world.start("--ipvs-sync-period 30s --metrics-bind-address=")
            let pid = try await Shell.output(
                "setsid ip netns exec node1 bash -c 'exec -a /usr/local/bin/kube-proxy \(Place.traffic) serve --name other --http 10249' </dev/null >/dev/null 2>&1 & echo $!"
            )
            // A node proxy in another network, as on another machine.
            let far = try await Shell.output(
                "setsid ip netns exec pod-a bash -c 'exec -a kube-proxy \(Place.traffic) serve --name far --http 10256' </dev/null >/dev/null 2>&1 & echo $!"
            )
            for process in [pid, far] { await world.started(Int(process)) }
            try await world.wait(for: "the other proxy") { try await Shell.output(in: "node1", "ss -Hltn 'sport = 10249'") != "" }
            try await world.waitForLog("Another node proxy is running on this node")
            let line = try await world.log().split(separator: "\n").first { $0.contains("Another node proxy is running") } ?? ""
            #expect(line.contains("/usr/local/bin/kube-proxy") && line.contains("pid=\"\(pid)\"") && line.contains("10249"), "\(line)")
            #expect(try await !world.log().contains("pid=\"\(far)\""), "it runs in another network")
            try await Shell.output("kill -KILL \(pid) \(far)")
            try await world.waitForLog("Other node proxy stopped")
        }

        @Test func `externally changed kernel settings are restored if Services need them, and only reported otherwise`() async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            let timeouts = try await Shell.output(in: "node1", "ipvsadm -L --timeout")
            try await world.start("--ipvs-sync-period 1s --conntrack-udp-timeout 31s --ipvs-tcp-timeout 2h --ipvs-udp-timeout 77s")
            #expect(try await Shell.output(in: "node1", "ipvsadm -L --timeout").contains(" 7200 120 77"))
            let wanted = "cd /proc/sys/net; cat ipv4/ip_forward ipv4/vs/conntrack ipv4/vs/expire_nodest_conn | xargs"
            try await Shell.output(
                in: "node1",
                "cd /proc/sys/net; echo 0 >ipv4/ip_forward; echo 0 >ipv4/vs/conntrack; echo 33 >netfilter/nf_conntrack_udp_timeout")
            try await world.wait(for: "the settings") { try await Shell.output(in: "node1", wanted) == "1 1 1" }
            try await world.waitForLog("Repaired kernel setting changed externally")
            try await world.wait(for: "the log line about the setting that is kept") {
                try await world.log().split(separator: "\n").contains {
                    $0.contains("\"Kernel setting changed externally\"") && $0.contains("nf_conntrack_udp_timeout")
                }
            }
            #expect(try await Shell.output(in: "node1", "cat /proc/sys/net/netfilter/nf_conntrack_udp_timeout") == "33")
            try await Shell.output(in: "node1", "ipvsadm --set 0 0 78")
            try await world.waitForLog("IPVS timeouts changed externally")
            #expect(try await Shell.output(in: "node1", "ipvsadm -L --timeout").contains(" 7200 120 78"), "reported, and not changed")
            try await world.kill()
            let cleanup = "\(Place.proxy) cleanup \(Place.filterFlag) --state-directory \(Place.state)"
            let steps = try await Shell.output(in: "node1", "\(cleanup) --dry-run")
            #expect(steps.contains("sysctl -w net.ipv4.ip_forward=0") && steps.contains("ipvsadm --set 900 120 300"), "\(steps)")
            try await Shell.output(in: "node1", cleanup)
            #expect(
                try await Shell.output(in: "node1", "cat /proc/sys/net/ipv4/ip_forward") == "0",
                "as before our start, not as changed later")
            #expect(try await Shell.output(in: "node1", "ipvsadm -L --timeout") == timeouts)
        }
    }
}
