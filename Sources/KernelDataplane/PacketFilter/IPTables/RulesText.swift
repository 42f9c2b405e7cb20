internal import Model

/// The text format of `iptables-restore` and `iptables-save`.
enum RulesText {
    /// Sets the rules of every chain and inserts jumps at the top of theirs: one transaction per table, which changes nothing else.
    static func restore(_ rules: Rules, missingJumps: [Rules.Jump]) -> String {
        tables(of: rules).map { table in
            var lines = ["*\(table.rawValue)"]
            let chains = rules.chains.keys.filter { $0.table == table }.sorted()
            // Declaring a chain creates or flushes it.
            lines += chains.map { ":\($0.name) - [0:0]" }
            for chain in chains { lines += (rules.chains[chain] ?? []).map { "-A \(chain.name) \(RuleText.text($0, rules.family))" } }
            lines += missingJumps.filter { $0.table == table }.map { "-I \($0.from) \(RuleText.text($0.rule, rules.family))" }
            return (lines + ["COMMIT"]).joined(separator: "\n") + "\n"
        }.joined()
    }

    /// Removes the leftover rules of another mode.
    static func remove(_ left: Leftovers) -> String { remove(left.chains, left.jumps) }

    /// Removes the rules of node proxies in a backend.
    static func remove(_ rules: BackendRules) -> String { remove(rules.chains, rules.jumps) }

    private static func remove(_ chains: Set<Rules.Chain>, _ jumps: [Leftovers.Jump]) -> String {
        Rules.Table.allCases.map { table in
            let chains = chains.filter { $0.table == table }.sorted()
            let jumps = jumps.filter { $0.table == table }
            // Naming a table that the kernel does not have would create it.
            guard !chains.isEmpty || !jumps.isEmpty else { return "" }
            var lines = ["*\(table.rawValue)"]
            // Chains refer to each other: once flushed, they can be deleted in any order.
            lines += chains.map { ":\($0.name) - [0:0]" }
            lines += jumps.map { "-D \($0.from) \($0.specification)" }
            lines += chains.map { "-X \($0.name)" }
            return (lines + ["COMMIT"]).joined(separator: "\n") + "\n"
        }.joined()
    }

    private static func tables(of rules: Rules) -> [Rules.Table] {
        Rules.Table.allCases.filter { table in
            rules.chains.keys.contains { $0.table == table } || rules.jumps.contains { $0.table == table }
        }
    }

    /// Whether an output of `iptables-save` is one, and its last table ends. It is empty if the kernel has no tables.
    ///
    /// Lines are not checked: a comment in a rule of others may contain a line break.
    static func isComplete(_ saved: String) -> Bool {
        guard let first = saved.first else { return true }
        guard first == "#" || first == "*" else { return false }
        for line in saved.split(separator: "\n").reversed() {
            if line == "COMMIT" { return true }
            if line.first == "*" { return false }
        }
        // Only comments.
        return first == "#"
    }

    /// The proxy's part of the output of `iptables-save`.
    struct Listing {
        let family: IPFamily
        /// What follows `-A <chain> ` in each rule, in order.
        var chains: [Rules.Chain: [String]] = [:]
        /// Repeated for each occurrence.
        var jumps: [Rules.Jump] = []
        /// The number of packets dropped by each chain, if it has rules that drop and the output has counters.
        var dropped: [Rules.Chain: UInt64] = [:]

        /// The listed rules as values.
        var rules: Rules { Rules(family, chains: chains.mapValues { $0.map { RuleText.rule($0, family) } }, jumps: jumps) }
    }

    /// Returns the proxy's chains and jumps in the output of `iptables-save`, with the counters if the output has them (`-c`).
    ///
    /// - Parameter catalogue: the proxy's chains and jumps; everything else is ignored.
    static func listing(_ saved: String, catalogue: Rules) -> Listing {
        var found = Listing(family: catalogue.family)
        var table: Rules.Table?
        for line in saved.split(separator: "\n") {
            switch line.first {
            case "*":
                table = Rules.Table(rawValue: String(line.dropFirst()))
            case ":":
                guard let table, let name = line.dropFirst().split(separator: " ").first else { continue }
                let chain = Rules.Chain(table, String(name))
                if catalogue.chains[chain] != nil { found.chains[chain] = found.chains[chain] ?? [] }
            case "-", "[":
                guard let table else { continue }
                let (rule, packets) = counted(line)
                parseRule(rule, packets: packets, table, catalogue, &found)
            default: continue
            }
        }
        return found
    }

    /// The line of a rule without its counters, `[packets:bytes]`, and the number of packets; nil if there are no counters.
    static func counted(_ line: Substring) -> (rule: Substring, packets: UInt64?) {
        guard line.first == "[", let end = line.utf8.firstIndex(of: UInt8(ascii: "]")) else { return (line, nil) }
        return (line[end...].dropFirst(2), UInt64(line[..<end].dropFirst().prefix { $0 != ":" }))
    }

    private static func parseRule(
        _ line: Substring, packets: UInt64?, _ table: Rules.Table, _ catalogue: Rules, _ found: inout Listing
    ) {
        let words = line.split(separator: " ", maxSplits: 2)
        guard words.count == 3, words[0] == "-A" else { return }
        let chain = Rules.Chain(table, String(words[1]))
        if found.chains[chain] != nil {
            found.chains[chain]?.append(String(words[2]))
            if let packets, words[2].hasSuffix("-j DROP") { found.dropped[chain, default: 0] &+= packets }
        } else if let jump = catalogue.jump(table, from: words[1], words[2]) {
            // Repeated for each occurrence: each one has to be removed.
            found.jumps.append(jump)
        }
    }
}

extension Rules {
    /// The jump with this text; nil if there is none.
    ///
    /// - Parameter text: what follows the name of the built-in chain in `iptables-save`.
    func jump(_ table: Table, from chain: Substring, _ text: Substring) -> Jump? {
        jumps.first { $0.table == table && $0.from == chain && RuleText.text($0.rule, family) == text }
    }
}
