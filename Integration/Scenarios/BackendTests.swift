import KernelTestSupport
import Testing

extension Scenarios {
    /// Rules of the proxy are in one backend of iptables, and it is to use the other one.
    @Suite(.enabled("requires a kernel and programs for both backends") { try await Programs.haveBothBackends() })
    struct `Both backends of iptables on one node` {
        let world = World.shared

        /// Rules of the kubelet and an operator, which stay; one refers to a chain of node proxies.
        private func addForeignRules(_ backend: String) async throws {
            try await Shell.output(
                in: "node1",
                """
                for iptables in iptables-\(backend) ip6tables-\(backend); do
                    $iptables -N KUBE-FIREWALL; $iptables -A INPUT -j KUBE-FIREWALL
                    $iptables -t nat -N KUBE-MARK-DROP; $iptables -t nat -N OPERATORS
                    $iptables -t nat -A OPERATORS -p tcp --dport 8443 -j RETURN
                    $iptables -t nat -A PREROUTING -p tcp --dport 8443 -j OPERATORS
                done
                """)
        }

        /// The chains and rules of a backend in both families, without comments, policies and counters.
        private func saved(_ backend: String) async throws -> Set<String> {
            let text = try await Shell.output(
                in: "node1",
                """
                for family in iptables ip6tables; do
                    $family-\(backend)-save 2>/dev/null | sed -e '/^#/d' -e 's/ \\[.*//' -e "s/^/$family /"
                done
                """)
            return Set(text.split(separator: "\n").map(String.init))
        }

        private func serveWeb(_ backend: String) async throws {
            try await world.begin()
            for backend in ["legacy", "nft"] { try await addForeignRules(backend) }
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            try await world.start("--iptables-backend \(backend)")
        }

        /// Serves with rules in both backends, as a proxy did that left the rules of the backend that it did not use.
        private func leaveRulesInBoth() async throws {
            try await serveWeb("legacy")
            try await world.kill()
            let copy = "\(Place.scratch)/legacy-rules"
            try await Shell.output(in: "node1", "for f in iptables ip6tables; do $f-legacy-save >\(copy)-$f; done")
            try await world.start("--iptables-backend nft")
            try await world.kill()
            try await Shell.output(in: "node1", "for f in iptables ip6tables; do $f-legacy-restore <\(copy)-$f; done")
            for backend in ["legacy", "nft"] {
                #expect(try await saved(backend).contains { $0.contains("KUBE-POSTROUTING") }, "\(backend)")
            }
        }

        /// Connections that are kept and requests on new ones, through cluster IP and node port, from outside, a pod and the node.
        private func startTraffic() async throws -> (held: [TrafficClient], asking: [TrafficClient]) {
            var (held, asking): ([TrafficClient], [TrafficClient]) = ([], [])
            for client in ["outside", "pod-c", "node1"] {
                held.append(try await .start(in: client, "hold tcp \(Manifests.clusterIP):80 --connections 2 --interval-ms 100"))
                asking.append(try await .start(in: client, "ask tcp \(Manifests.clusterIP):80 --json --interval-ms 100 --then-count 5"))
                asking.append(try await .start(in: client, "ask tcp [\(Manifests.clusterIP6)]:80 --json --interval-ms 100 --then-count 5"))
            }
            held.append(
                try await .start(in: "outside", "hold tcp \(World.node.outside):\(Manifests.nodePort) --connections 2 --interval-ms 100"))
            asking.append(
                try await .start(
                    in: "outside", "ask tcp \(World.node.outside):\(Manifests.nodePort) --json --interval-ms 100 --then-count 5"))
            return (held, asking)
        }

        /// Expects that no connection broke and no request failed.
        private func finish(_ traffic: (held: [TrafficClient], asking: [TrafficClient])) async throws {
            for client in traffic.held {
                let held = try await client.finish()
                #expect(held.contains("broken 0"), "\(held)")
            }
            for client in traffic.asking {
                let answers = try Answers.decode(try await client.finish())
                #expect(answers.failed == 0 && answers.requests >= 5, "\(answers)")
            }
        }

        struct Move: CustomTestStringConvertible {
            var from: String
            var to: String
            var flag: String
            var testDescription: String { "from \(from) to \(to), with --iptables-backend \(flag)" }
        }

        @Test(arguments: [
            Move(from: "legacy", to: "nft", flag: "nft"), Move(from: "nft", to: "legacy", flag: "legacy"),
            Move(from: "legacy", to: "nft", flag: "auto"),
        ])
        func `move to the backend in use, where they are restored before they are removed from the other one, under traffic`(
            move: Move
        ) async throws {
            try await serveWeb(move.from)
            if move.flag == "auto" {
                try await Shell.output(in: "node1", "iptables-\(move.to) -t mangle -N KUBE-IPTABLES-HINT")
            }
            let foreign = try await saved(move.from).filter {
                !$0.contains("KUBE") || $0.contains("KUBE-FIREWALL") || $0.contains("MARK-DROP")
            }
            let rules = try await saved(move.from)
            let traffic = try await startTraffic()
            try await world.kill()
            let programs = try await Programs.recording()
            try await world.launch("--iptables-backend \(move.flag)", path: programs)
            try await world.waitForLog("Kernel state in sync")
            try await finish(traffic)

            for (family, name) in [("iptables", "IPv4"), ("ip6tables", "IPv6")] {
                #expect(
                    try await Programs.recorded(family) == [
                        "\(family)-\(move.to)-restore inserted", "\(family)-\(move.from)-restore removes",
                    ])
                let log = try await world.log()
                let line = log.split(separator: "\n").first { $0.contains("Moved rules to another iptables backend") && $0.contains(name) }
                #expect(line?.contains(#"from="\#(move.from)""#) == true && line?.contains(#"to="\#(move.to)""#) == true, "\(log)")
            }
            let (before, after) = (try await saved(move.from), try await saved(move.to))
            #expect(before == foreign, "\(before.symmetricDifference(foreign))")
            #expect(rules.isSubset(of: after), "\(rules.subtracting(after))")
            let ruleset = try await Shell.output(in: "node1", "nft list ruleset 2>/dev/null")
            #expect(ruleset.contains("KUBE-POSTROUTING") == (move.to == "nft") && ruleset.contains("OPERATORS"))
            let flags = "\(World.flags) --iptables-backend \(move.flag)"
            #expect(try await Shell.output(in: "node1", "\(Place.proxy) plan \(flags)").isEmpty, "a second start has no operations")
            for address in [Manifests.clusterIP, Manifests.clusterIP6] {
                let answers = try await Answers.ask(from: "outside", "tcp", address, Manifests.port)
                #expect(answers.failed == 0 && answers.responders.count == 3, "\(answers)")
            }
        }

        @Test func `are removed from the other backend if both have them, and plan says so`() async throws {
            try await leaveRulesInBoth()
            let flags = "\(World.flags) --iptables-backend nft"
            let plan = try await Shell.output(in: "node1", "\(Place.proxy) plan \(flags)").split(separator: "\n")
            #expect(
                plan.count == 2 && plan[0].hasPrefix("iptables-legacy-restore --noflush (remove ")
                    && plan[1].hasPrefix("ip6tables-legacy-restore --noflush (remove "), "\(plan)")
            try await world.start("--iptables-backend nft")
            #expect(try await !saved("legacy").contains { $0.contains("KUBE-POSTROUTING") })
            #expect(try await saved("nft").contains { $0.contains("-j KUBE-POSTROUTING") })
        }

        @Test(arguments: ["legacy", "nft", "auto"])
        func `are removed by cleanup from both, whichever the flag names, and then the sets`(flag: String) async throws {
            try await leaveRulesInBoth()
            let cleanup = "\(Place.proxy) cleanup --iptables-backend \(flag) --state-directory \(Place.state)"
            let steps = try await Shell.output(in: "node1", "\(cleanup) --dry-run").split(separator: "\n").map(String.init)
            let firstSet = try #require(steps.firstIndex { $0.hasPrefix("ipset destroy") })
            for program in ["iptables-legacy", "iptables-nft", "ip6tables-legacy", "ip6tables-nft"] {
                let step = try #require(steps.firstIndex { $0.hasPrefix("\(program)-restore --noflush (remove ") }, "\(steps)")
                #expect(step < firstSet)
            }
            let output = try await Shell.output(in: "node1", cleanup)
            #expect(!output.contains("failed"), "\(output)")
            try await expectNothingLeft()
        }

        private func expectNothingLeft() async throws {
            #expect(try await Shell.output(in: "node1", "ipset list -n").isEmpty)
            for backend in ["legacy", "nft"] {
                let rules = try await saved(backend)
                #expect(!rules.contains { $0.contains("KUBE-SERVICES") || $0.contains("KUBE-POSTROUTING") }, "\(rules)")
                #expect(rules.contains { $0.contains("-j KUBE-FIREWALL") } && rules.contains { $0.contains("-j OPERATORS") }, "\(rules)")
            }
        }

        @Test(arguments: [["nft"], []])
        func `are removed by cleanup as far as there are programs, and sets that the others use are reported`(installed: [String])
            async throws
        {
            try await leaveRulesInBoth()
            let path = try await Programs.installed(installed)
            let cleanup = "\(Place.proxy) cleanup --state-directory \(Place.state)"
            let result = try await Shell.attempt("ip netns exec node1 env PATH=\(path) \(cleanup)")
            #expect(!result.succeeded)
            let missing = installed.isEmpty ? "iptables-legacy and iptables-nft" : "iptables-legacy"
            #expect(
                result.output.contains("failed: ipsets that remain may be in use by rules that cannot be read without \(missing): install"),
                "\(result.output)")
            #expect(result.output.contains("removed 18 virtual servers"), "\(result.output)")
            #expect(try await saved("nft").contains { $0.contains("KUBE-SERVICES") } == installed.isEmpty)
            #expect(try await saved("legacy").contains { $0.contains("KUBE-SERVICES") })
            try await Shell.output(in: "node1", cleanup)
            try await expectNothingLeft()
        }

        @Test func `are removed by cleanup completely on a node with only the programs that they need`() async throws {
            try await serveWeb("nft")
            try await world.kill()
            let path = try await Programs.installed(["nft"])
            try await Shell.output(
                "ip netns exec node1 env PATH=\(path) \(Place.proxy) cleanup --iptables-backend legacy --state-directory \(Place.state)")
            try await expectNothingLeft()
        }

        @Test func `are left, with a warning, if the kernel has legacy tables and no program can read them`() async throws {
            try await serveWeb("legacy")
            try await world.kill()
            let path = try await Programs.installed(["nft"])
            let output = try await Shell.output(
                "ip netns exec node1 env PATH=\(path) \(Place.proxy) run \(World.flags) --iptables-backend nft --once")
            #expect(
                output.split(separator: "\n").count { $0.contains("Cannot check iptables-legacy for rules of a node proxy") } == 1,
                "\(output)")
            #expect(try await saved("legacy").contains { $0.contains("-j KUBE-POSTROUTING") })
            #expect(try await saved("nft").contains { $0.contains("-j KUBE-POSTROUTING") })
        }

        @Test func `are read without creating legacy tables`() async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            let fresh = "ip netns exec fresh"
            let names = "\(fresh) cat /proc/net/ip_tables_names /proc/net/ip6_tables_names"
            let output = try await Shell.output(
                """
                ip netns add fresh; trap 'ip netns delete fresh' EXIT
                \(names) >\(Place.scratch)/names
                \(fresh) \(Place.proxy) plan \(World.flags) --iptables-backend nft >/dev/null
                \(fresh) \(Place.proxy) cleanup --dry-run --state-directory \(Place.state) >/dev/null
                \(names) | diff \(Place.scratch)/names -
                """)
            #expect(output.isEmpty, "\(output)")
        }
    }

    /// The programs of iptables in directories that stand in for a node's.
    private enum Programs {
        private static let order = "\(Place.scratch)/order"

        /// Whether both backends have a working table `nat`, in a network namespace of their own.
        static func haveBothBackends() async throws -> Bool {
            guard Place.isKernelOurs else { return false }
            return try await Shell.attempt(
                """
                unshare --net bash -euc '
                  for iptables in iptables-legacy iptables-nft; do $iptables -t nat -A POSTROUTING -j MASQUERADE; done'
                """
            ).succeeded
        }

        /// Returns a directory with programs that record when the jump to KUBE-POSTROUTING has been inserted, and when it is about to be
        /// removed.
        static func recording() async throws -> String {
            let path = "\(Place.scratch)/recording"
            try await Shell.output(
                """
                rm -rf \(path) \(order)-*; mkdir \(path)
                cat >\(path)/record <<'SCRIPT'
                #!/bin/bash
                name=${0##*/}
                input=$(cat)
                order=\(order)-${name%%-*}
                [[ $input != *"-D POSTROUTING"* ]] || echo "$name removes" >>"$order"
                "/usr/sbin/$name" "$@" <<<"$input" || exit
                [[ $input != *"-I POSTROUTING"* ]] || echo "$name inserted" >>"$order"
                SCRIPT
                chmod +x \(path)/record
                for family in iptables ip6tables; do for backend in legacy nft; do ln -s record \(path)/$family-$backend-restore; done; done
                """)
            return path
        }

        /// - Parameter family: `iptables` or `ip6tables`.
        static func recorded(_ family: String) async throws -> [String] {
            try await Shell.output("cat \(order)-\(family)").split(separator: "\n").map(String.init)
        }

        /// Returns a directory with only the programs of these backends.
        static func installed(_ backends: [String]) async throws -> String {
            let path = "\(Place.scratch)/installed"
            try await Shell.output(
                """
                rm -rf \(path); mkdir \(path); ln -s "$(command -v modprobe)" \(path)
                for backend in \(backends.joined(separator: " ")); do
                    ln -s /usr/sbin/{iptables,ip6tables}-$backend{,-save,-restore} \(path)
                done
                """)
            return path
        }
    }
}
