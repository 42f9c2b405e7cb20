import KernelTestSupport
import Testing

extension Scenarios {
    /// Compares `kube-ipvs-proxy status -n` with ipvsadm on random tables.
    @Suite struct `ipvsadm's output` {
        let world = World.shared

        private static let options = [
            "-L -n", "-ln --nosort", "-L -n --stats", "-Ln --stats --exact", "-L -n --rate", "-L -n --rate --exact", "-L -n --thresholds",
            "-L -n --persistent-conn", "-L -n --tun-info", "-L -n --sort", "-S -n", "-L --timeout", "-L -n -c",
            "-L -n -c --persistent-conn",
        ]

        /// Runs both programs with each set of arguments in one shell, and returns the differences.
        private static func difference(_ arguments: [String]) async throws -> String {
            try await Shell.output(
                in: "node1",
                """
                ours=$(mktemp) theirs=$(mktemp)
                while read -r arguments; do
                  \(Place.proxy) status $arguments >$ours 2>&1 && ours_status=0 || ours_status=$?
                  ipvsadm $arguments >$theirs 2>&1 && theirs_status=0 || theirs_status=$?
                  [ $ours_status = $theirs_status ] || echo "$arguments: exits with $ours_status, not $theirs_status"
                  diff $ours $theirs >$ours.diff || { echo "$arguments:"; cat $ours.diff; }
                done <<'END'
                \(arguments.joined(separator: "\n"))
                END
                rm $ours $theirs $ours.diff
                """)
        }

        @Test(arguments: [1, 2] as [UInt64]) func `is reproduced byte for byte for any table`(seed: UInt64) async throws {
            try await world.begin()
            var table = RandomTable(seed: seed)
            let commands = table.commands(virtualServers: 24)
            // Lines that the kernel refuses (a duplicate real server, a tunnel across families) are skipped.
            try await Shell.output(in: "node1", "while read -r line; do ipvsadm $line 2>/dev/null || true; done <<'END'\n\(commands)\nEND")
            let count = try await Shell.output(in: "node1", "ipvsadm -S -n | wc -l")
            #expect(Int(count) ?? 0 > 60, "\(count)")
            let some = try await Shell.output(in: "node1", "ipvsadm -S -n | grep ^-A | awk '{print $2, $3}' | grep -v -- '-f -' | head -6")
            let single = some.split(separator: "\n").flatMap { server in
                ["-L -n \(server)", "-L -n \(server) --stats", "-L -n \(server) --thresholds"]
            }
            let missing = ["-L -n -t 192.0.2.77:1", "-L -n -f 12345"]
            let difference = try await Self.difference(Self.options + single + missing)
            #expect(difference == "", "\(difference)")
        }

        /// Every flag of every scheduler that this kernel has, with persistence, netmasks, one-packet scheduling and a persistence engine.
        @Test func `is reproduced byte for byte for every scheduler with every flag`() async throws {
            try await world.begin()
            let lines = FlagTable.lines.joined(separator: "\n")
            let outcome = try await Shell.output(
                in: "node1",
                """
                while read -r scheduler engine line; do
                  ipvsadm $line 2>/dev/null && echo "$scheduler $engine" || true
                done <<'END' | sort | uniq -c
                \(lines)
                END
                """)
            // Without a module in this kernel, all of its lines fail, not only some.
            let created = Dictionary(
                uniqueKeysWithValues: outcome.split(separator: "\n").map { line in
                    let words = line.split(separator: " ").map(String.init)
                    return ("\(words[1]) \(words[2])", Int(words[0]) ?? 0)
                })
            for scheduler in FlagTable.schedulers where created["\(scheduler) -"] != nil {
                #expect(created["\(scheduler) -"] == 8 * FlagTable.kinds.count { $0.engine == "-" }, "\(scheduler)")
            }
            #expect(created["rr -"] != nil && created["mh -"] != nil && created["sh -"] != nil, "\(created)")
            let difference = try await Self.difference(Self.options.filter { !$0.contains("-c") } + ["-L -n --exact"])
            #expect(difference == "", "\(difference)")
        }

        @Test(arguments: [5] as [UInt64]) func `restores the same table including thresholds`(seed: UInt64) async throws {
            try await world.begin()
            var table = RandomTable(seed: seed)
            let commands = table.commands(virtualServers: 24)
            try await Shell.output(in: "node1", "while read -r line; do ipvsadm $line 2>/dev/null || true; done <<'END'\n\(commands)\nEND")
            let everything = "for columns in '' --thresholds --tun-info; do ipvsadm -L -n $columns; done; ipvsadm -S -n"
            let before = try await Shell.output(in: "node1", everything)
            try await Shell.output(in: "node1", "\(Place.proxy) status -S >/tmp/saved; ipvsadm -C; ipvsadm -R </tmp/saved")
            #expect(try await Shell.output(in: "node1", everything) == before)
            #expect(before.split(separator: "\n").count > 200)
        }

        @Test func `matches for traffic counters and connections, and counters can be zeroed`() async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            try await world.start()
            try await Shell.output(
                in: "node1",
                """
                ipvsadm -A -t 10.99.0.2:8081 -s rr -p 300; ipvsadm -a -t 10.99.0.2:8081 -r 10.244.1.10:8080 -m
                ipvsadm -A -t [fd00:99::2]:8081 -s rr -p 300; ipvsadm -a -t [fd00:99::2]:8081 -r [fd00:244:1::10]:8080 -m
                """)
            for (transport, address, port) in [
                ("tcp", "10.96.0.10", 80), ("udp", "10.96.0.10", 80), ("sctp", "10.96.0.10", 80), ("tcp", "fd00:96::10", 80),
                ("tcp", "10.99.0.2", 8081), ("tcp", "fd00:99::2", 8081),
            ] as [(String, String, UInt16)] {
                let answers = try await Answers.ask(from: "outside", transport, address, port, "--count 5")
                #expect(answers.answered == 5, "\(transport) \(address)")
            }
            // Expiry times and rates change between two reads.
            try await world.wait(for: "the same list of connections") {
                try await Shell.output(
                    in: "node1",
                    """
                    for with in '' --persistent-conn; do
                      diff <(\(Place.proxy) status -L -n -c $with | sed 's/ [0-9][0-9]:[0-9][0-9] / /' | sort) \
                           <(ipvsadm -L -n -c $with | sed 's/ [0-9][0-9]:[0-9][0-9] / /' | sort) || true
                    done
                    """) == ""
            }
            let connections = try await Shell.output(in: "node1", "\(Place.proxy) status -L -n -c")
            #expect(connections.contains("10.96.0.10:80") && connections.contains("[fd00:96::10]:80"), "\(connections)")
            // Connections end, and the kernel sums counters, between two reads.
            var difference = ""
            for _ in 0..<20 {
                difference = try await Self.difference(["-L -n", "-L -n --stats", "-L -n --stats --exact", "-L -n --persistent-conn"])
                if difference == "" { break }
            }
            #expect(difference == "", "\(difference)")
            try await world.wait(for: "the counters") {
                try await Shell.output(in: "node1", "ipvsadm -L -n --stats -u 10.96.0.10:80 | awk '/^UDP/ {print $3}'") == "5"
            }
            let zeroed = try await Shell.output(
                in: "node1",
                """
                \(Place.proxy) status -Z -t 10.96.0.10:80; ipvsadm -L -n --stats -t 10.96.0.10:80 | awk '/^TCP/ {print $3}'
                ipvsadm -L -n --stats -u 10.96.0.10:80 | awk '/^UDP/ {print $3}'
                \(Place.proxy) status -Z; ipvsadm -L -n --stats -u 10.96.0.10:80 | awk '/^UDP/ {print $3}'
                """)
            #expect(zeroed == "0\n5\n0", "\(zeroed)")
        }
    }
}

/// A virtual server for each scheduler, each set of its flags, and each kind of persistence, as `SCHEDULER ENGINE ARGUMENTS`.
private enum FlagTable {
    static let schedulers = ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos"]

    /// `#` is replaced by a unique number.
    static let kinds: [(engine: String, service: String, more: String)] = [
        ("-", "-t 192.0.2.1:#", ""), ("-", "-t 192.0.2.2:#", "-p 300"), ("-", "-t 192.0.2.3:#", "-p 300 -M 255.255.255.0"),
        ("-", "-u 192.0.2.4:#", "-o"), ("-", "-u 192.0.2.5:#", "-p 300 -M 255.255.0.0 -o"), ("-", "-t [2001:db8::6]:#", "-p 300 -M 64"),
        ("-", "-f #", "-p 300"), ("-", "-f # -6", ""), ("-", "--sctp-service 192.0.2.7:#", ""),
        ("sip", "-u 192.0.2.8:#", "-p 300 --pe sip"), ("sip", "-u [2001:db8::9]:#", "-p 300 --pe sip -o"),
    ]

    static let lines: [String] = schedulers.enumerated().flatMap { index, scheduler in
        (0..<8).flatMap { bits in
            let flags = (0..<3).filter { bits >> $0 & 1 == 1 }.map { "flag-\($0 + 1)" }.joined(separator: ",")
            return kinds.map { kind in
                let service = kind.service.replacing("#", with: "\(1 + index * 8 + bits)")
                return "\(scheduler) \(kind.engine) -A \(service) -s \(scheduler) \(kind.more)\(flags.isEmpty ? "" : " -b \(flags)")"
            }
        }
    }
}

/// A table of virtual servers of every kind, as commands for ipvsadm.
private struct RandomTable {
    private var generator: Generator

    init(seed: UInt64) { generator = Generator(state: seed) }

    /// SplitMix64.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return mixed ^ (mixed >> 31)
        }
    }

    private static let schedulers = ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh"]

    mutating func commands(virtualServers: Int) -> String {
        (0..<virtualServers).flatMap { _ in virtualServer() }.joined(separator: "\n")
    }

    private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }
    private mutating func one(of choices: [String]) -> String { choices[Int.random(in: 0..<choices.count, using: &generator)] }

    private mutating func address(isIPv6: Bool) -> String {
        guard isIPv6 else {
            return "\(one(of: ["10.96", "172.16", "192.0", "203.0"])).\(Int.random(in: 0...255, using: &generator))"
                + ".\(Int.random(in: 1...254, using: &generator))"
        }
        let word = String(UInt16.random(in: 1 ... .max, using: &generator), radix: 16)
        return one(of: ["fd00::\(word)", "fd00:\(word)::1", "2001:db8:1234:5678:9abc:def0:1234:\(word)"])
    }

    private mutating func virtualServer() -> [String] {
        let isIPv6 = chance(35)
        let address = address(isIPv6: isIPv6)
        let isMark = chance(20)
        let port = chance(8) && !isMark ? 0 : Int.random(in: 1...65535, using: &generator)
        let name =
            isMark
            ? "-f \(chance(25) ? UInt32.max - 7 : UInt32.random(in: 1...100_000, using: &generator))\(isIPv6 ? " -6" : "")"
            : "\(one(of: ["-t", "-u", "--sctp-service"])) \(isIPv6 ? "[\(address)]" : address):\(port)"
        let scheduler = one(of: Self.schedulers)
        var text = "-A \(name) -s \(scheduler)"
        let named = scheduler == "sh" || scheduler == "mh" ? ["\(scheduler)-fallback", "\(scheduler)-port"] : ["flag-1", "flag-2"]
        if chance(30) { text += " -b \(one(of: [named[0], named[1], named.joined(separator: ","), "flag-3"]))" }
        if port == 0 || chance(30) {
            text += " -p \(Int.random(in: 1...100_000, using: &generator))"
            if chance(40) { text += isIPv6 ? " -M 64" : " -M 255.255.\(one(of: ["0", "255", "128"])).0" }
        }
        if name.hasPrefix("-u"), chance(40) { text += " -o" }
        return [text] + (0..<Int.random(in: 0...6, using: &generator)).map { _ in realServer(of: name, isIPv6: isIPv6, port: port) }
    }

    private mutating func realServer(of name: String, isIPv6: Bool, port: Int) -> String {
        let method = one(of: ["-m", "-m", "-g", "-i", "-i"])
        let isMark = name.hasPrefix("-f")
        // Only a masqueraded real server may have another port.
        let ownPort = method == "-m" && !isMark && port != 0 ? Int.random(in: 1...65535, using: &generator) : port
        let isOtherFamily = method == "-i" && chance(20)
        let address = address(isIPv6: isIPv6 != isOtherFamily)
        let host = isIPv6 != isOtherFamily ? "[\(address)]" : address
        var text =
            "-a \(name) -r \(host):\(isMark && method != "-m" ? 0 : ownPort) \(method) -w \(one(of: ["0", "1", "5", "65535", "2147483647"]))"
        if chance(25) {
            let lower = Int.random(in: 1...1000, using: &generator)
            text += " -x \(lower * 3) -y \(lower)"
        }
        guard method == "-i", chance(60) else { return text }
        let checksum = one(of: ["--tun-csum", "--tun-nocsum", "--tun-remcsum"])
        return text
            + one(of: [
                " --tun-type ipip", " --tun-type gue --tun-port 6080 \(checksum)",
                " --tun-type gre \(checksum == "--tun-remcsum" ? "--tun-csum" : checksum)",
            ])
    }
}
