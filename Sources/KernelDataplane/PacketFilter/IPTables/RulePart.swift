internal import Model

/// A part of iptables that rules use: each is a module of the kernel. Matches and targets are extensions of the program, too.
enum RulePart: Hashable, CustomStringConvertible {
    /// What iptables-nft adds to every rule; a module in Linux 5.10, and no longer in 6.1 (net/netfilter/Kconfig `NFT_COUNTER`).
    case counter
    case table(Rules.Table)
    case match(String)
    case target(String)

    var description: String {
        switch self {
        case .counter: "expression counter"
        case .table(let table): "table \(table.rawValue)"
        case .match(let name): "match \(name)"
        case .target(let name): "target \(name)"
        }
    }

    /// The kernel module (net/netfilter/Kconfig, net/ipv4/netfilter/Kconfig, net/ipv6/netfilter/Kconfig).
    func module(_ family: IPFamily, _ backend: IPTables.Backend) -> String {
        let isV4 = family == .ipv4
        return switch (self, backend) {
        case (.counter, _): "nft_counter"
        case (.table(let table), .legacy): "\(isV4 ? "iptable" : "ip6table")_\(table.rawValue)"
        case (.table(.nat), .nft): "nft_chain_nat"
        case (.table, .nft): "nf_tables"
        // Aliases: of ip_tables and ip6_tables in Linux 6.1, of xt_tcpudp in 6.12.
        case (.match("icmp"), _): "ipt_icmp"
        case (.match("icmp6"), _): "ip6t_icmp6"
        // One module has both, the match and the target.
        case (.target("MARK"), _): "xt_mark"
        case (.target("REJECT"), _): isV4 ? "ipt_REJECT" : "ip6t_REJECT"
        case (.match(let name), _), (.target(let name), _): "xt_\(name)"
        }
    }

    /// A rule that needs one part only, to test it alone.
    struct Sample: Hashable {
        var part: RulePart
        var table: Rules.Table
        /// What follows the name of the chain.
        var rule: String

        /// A rule without matches and extensions.
        static func counter(_ table: Rules.Table) -> Sample { Sample(part: .counter, table: table, rule: "-j RETURN") }
    }

    /// The matches and targets of rules, each once, in the order of the tables and chains.
    static func samples(of rules: Rules) -> [Sample] {
        var samples: [Sample] = []
        var known: Set<RulePart> = []
        let family = rules.family
        let chains =
            rules.chains.sorted { $0.key < $1.key }.map { (table: $0.key.table, rules: $0.value) }
            + rules.jumps.map { ($0.table, [$0.rule]) }
        let own = Set(rules.chains.keys.map(\.name) + rules.jumps.map(\.to))
        for (table, rules) in chains {
            for sample in rules.flatMap({ parts(of: RuleText.text($0, family), table, ownChains: own) })
            where known.insert(sample.part).inserted {
                samples.append(sample)
            }
        }
        return samples
    }

    private static let verdicts: Set = ["ACCEPT", "DROP", "RETURN"]

    private static func parts(of rule: String, _ table: Rules.Table, ownChains: Set<String>) -> [Sample] {
        let words = RuleText.words(of: rule)
        let starts = words.indices.filter { ["-m", "-j"].contains(words[$0]) && $0 + 1 < words.count }
        // Extensions for one protocol require it.
        let options = words[..<(starts.first ?? words.count)]
        let transport = options.firstIndex(of: "-p").flatMap { place in
            place + 1 < options.endIndex && (place == 0 || options[place - 1] != "!") ? "-p \(options[place + 1]) " : nil
        }
        return starts.enumerated().compactMap { number, start in
            let end = number + 1 < starts.count ? starts[number + 1] : words.count
            let name = words[start + 1]
            let isTarget = words[start] == "-j"
            guard !isTarget || !(verdicts.contains(name) || ownChains.contains(name)) else { return nil }
            return Sample(
                part: isTarget ? .target(name) : .match(name), table: table,
                rule: (transport ?? "") + words[start..<end].joined(separator: " "))
        }
    }
}
