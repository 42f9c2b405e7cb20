internal import Model

/// The text that `iptables-restore` takes and `iptables-save` gives.
enum RulesText {
    /// Gives every chain its rules and inserts jumps at the top of theirs: one transaction a table, nothing else is touched.
    static func restore(_ rules: Rules, missingJumps: [Rules.Jump]) -> String {
        tables(of: rules).map { table in
            var lines = ["*\(table.rawValue)"]
            let chains = rules.chains.keys.filter { $0.table == table }.sorted()
            // Declaring a chain makes or empties it.
            lines += chains.map { ":\($0.name) - [0:0]" }
            for chain in chains { lines += (rules.chains[chain] ?? []).map { "-A \(chain.name) \($0)" } }
            lines += missingJumps.filter { $0.table == table }.map { "-I \($0.from) \($0.specification)" }
            return (lines + ["COMMIT"]).joined(separator: "\n") + "\n"
        }.joined()
    }

    /// Takes jumps and chains away.
    static func remove(_ rules: Rules) -> String { remove(rules, Leftovers(rules.family)) }

    /// Takes what another mode left away.
    static func remove(_ left: Leftovers) -> String { remove(Rules(left.family), left) }

    /// Takes both away at once, as either may lead to the other.
    static func remove(_ rules: Rules, _ left: Leftovers) -> String {
        Rules.Table.allCases.map { table in
            let chains = left.chains.union(rules.chains.keys).filter { $0.table == table }.sorted()
            let jumps =
                rules.jumps.filter { $0.table == table }.map { "-D \($0.from) \($0.specification)" }
                + left.jumps.filter { $0.table == table }.map { "-D \($0.from) \($0.specification)" }
            guard !chains.isEmpty || !jumps.isEmpty else { return "" }
            var lines = ["*\(table.rawValue)"]
            // They lead to one another: emptied first, they can go in any order.
            lines += chains.map { ":\($0.name) - [0:0]" }
            lines += jumps
            lines += chains.map { "-X \($0.name)" }
            return (lines + ["COMMIT"]).joined(separator: "\n") + "\n"
        }.joined()
    }

    private static func tables(of rules: Rules) -> [Rules.Table] {
        Rules.Table.allCases.filter { table in
            rules.chains.keys.contains { $0.table == table } || rules.jumps.contains { $0.table == table }
        }
    }

    /// What of ours `iptables-save` printed.
    struct Listing {
        var rules: Rules
        /// How many packets the rules of each chain have dropped, where it has rules that drop and counters were printed.
        var dropped: [Rules.Chain: UInt64] = [:]
    }

    /// Finds our chains and jumps in what `iptables-save` printed.
    ///
    /// - Parameter catalogue: which chains and jumps are ours; everything else is passed over.
    static func parse(_ saved: String, catalogue: Rules) -> Rules { listing(saved, catalogue: catalogue).rules }

    /// The same with what they have counted, where `iptables-save` was told to print that (`-c`).
    static func listing(_ saved: String, catalogue: Rules) -> Listing {
        var found = Listing(rules: Rules(catalogue.family))
        var table: Rules.Table?
        for line in saved.split(separator: "\n") {
            switch line.first {
            case "*":
                table = Rules.Table(rawValue: String(line.dropFirst()))
            case ":":
                guard let table, let name = line.dropFirst().split(separator: " ").first else { continue }
                let chain = Rules.Chain(table, String(name))
                if catalogue.chains[chain] != nil { found.rules.chains[chain] = found.rules.chains[chain] ?? [] }
            case "-", "[":
                guard let table else { continue }
                let (rule, packets) = counted(line)
                parseRule(rule, packets: packets, table, catalogue, &found)
            default: continue
            }
        }
        return found
    }

    /// A line of a rule without its counters, `[packets:bytes]`, and how many packets they say; nil where it has none.
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
        if found.rules.chains[chain] != nil {
            found.rules.chains[chain]?.append(String(words[2]))
            if let packets, words[2].hasSuffix("-j DROP") { found.dropped[chain, default: 0] &+= packets }
        } else if let jump = catalogue.jumps.first(where: { $0.table == table && $0.from == words[1] && $0.specification == words[2] }) {
            // As often as it stands there: each has to be taken away.
            found.rules.jumps.append(jump)
        }
    }
}
