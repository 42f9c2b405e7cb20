internal import CNetlink
internal import Glibc
internal import Model
internal import Netlink
internal import SystemPackage

/// This program's table of one family: its chains, rules and counters.
struct RuleTable {
    let family: IPFamily
    private let expressions: RuleExpressions
    /// The chains that the proxy owns.
    private let chains: [Rules.Chain]
    private let jumps: [Rules.Jump]

    /// - Parameter catalogue: a state with all chains, jumps and sets of the proxy; their contents do not matter.
    init(_ family: IPFamily, _ catalogue: NodeState) {
        self.family = family
        chains = catalogue.rules[family]?.chains.keys.sorted() ?? []
        jumps = catalogue.rules[family]?.jumps ?? []
        let sets = catalogue.sets.values.filter { $0.family == family }
        expressions = RuleExpressions(
            family: family, kinds: Dictionary(sets.map { ($0.name.text, $0.kind) }, uniquingKeysWith: { first, _ in first }))
    }

    // MARK: Base chains

    /// A built-in chain of iptables as a base chain.
    ///
    /// The chains come before those of the same hook in iptables and in other tables, as jumps at the top of iptables' chains do: the
    /// priorities are one less than the standard ones. At OUTPUT, all come before IPVS, which replaces the destination at -99 and -98 (ip_vs_ops4,
    /// net/netfilter/ipvs/ip_vs_core.c). At INPUT, IPVS has 98 and 99.
    static func baseChain(_ table: Rules.Table, _ from: String) -> NFTChain? {
        let hook: NFTChain.Hook
        switch (table, from) {
        case (.nat, "PREROUTING"): hook = .init(point: .prerouting, type: .nat, priority: NF_IP_PRI_NAT_DST.rawValue - 1)
        case (.nat, "OUTPUT"): hook = .init(point: .output, type: .nat, priority: NF_IP_PRI_NAT_DST.rawValue - 1)
        case (.nat, "POSTROUTING"): hook = .init(point: .postrouting, type: .nat, priority: NF_IP_PRI_NAT_SRC.rawValue - 1)
        case (.filter, "INPUT"): hook = .init(point: .input, type: .filter, priority: NF_IP_PRI_FILTER.rawValue - 1)
        case (.filter, "FORWARD"): hook = .init(point: .forward, type: .filter, priority: NF_IP_PRI_FILTER.rawValue - 1)
        case (.filter, "OUTPUT"): hook = .init(point: .output, type: .filter, priority: NF_IP_PRI_NAT_DST.rawValue - 1)
        default: return nil
        }
        return NFTChain(name: baseChainName(table, from), hook: hook)
    }

    /// `nat-prerouting`.
    private static func baseChainName(_ table: Rules.Table, _ from: String) -> String { "\(table.rawValue)-\(from.lowercased())" }

    /// The base chains that jumps need, each once.
    private func baseChains(_ jumps: [Rules.Jump]) -> [NFTChain] {
        var chains: [NFTChain] = []
        for jump in jumps {
            if let chain = RuleTable.baseChain(jump.table, jump.from), !chains.contains(chain) { chains.append(chain) }
        }
        return chains
    }

    // MARK: Writing

    /// The commands that give the table these rules, whatever it contains.
    ///
    /// - Parameter present: the chains that the table has.
    func commands(restoring rules: Rules, over present: [NFTChain]) -> [NFTCommand] {
        let wanted = baseChains(rules.jumps) + rules.chains.keys.sorted().map { NFTChain(name: RuleExpressions.name($0)) }
        var commands: [NFTCommand] = [.addTable]
        commands += present.map { .flushChain($0.name) }
        // A base chain with another hook cannot be changed. Chains refer to each other only by rules.
        let obsolete = present.filter { !wanted.contains($0) }
        commands += obsolete.map { .deleteChain($0.name) }
        commands += counters(rules).map { .addCounter($0) }
        commands += wanted.map { .addChain($0) }
        for (chain, rules) in rules.chains.sorted(by: { $0.key < $1.key }) {
            commands += rules.compactMap { expressions.rule($0, in: chain) }.map { .addRule($0) }
        }
        commands += rules.jumps.reversed().compactMap(rule).map { .addRule($0) }
        return commands
    }

    private func rule(_ jump: Rules.Jump) -> NFTRule? {
        guard var rule = expressions.rule(jump.rule, in: Rules.Chain(jump.table, jump.from)) else { return nil }
        rule.chain = RuleTable.baseChainName(jump.table, jump.from)
        return rule
    }

    private func counters(_ rules: Rules) -> [String] {
        rules.chains.filter { $0.value.contains { $0.verdict == .drop } }.keys.sorted().map(RuleExpressions.counter)
    }

    /// The commands that create all sets and rules in a new table and delete it, which changes nothing.
    ///
    /// - Parameter catalogue: a state with all rules and sets.
    static func probe(_ family: IPFamily, _ catalogue: NodeState) -> [NFTCommand] {
        let sets = catalogue.sets.values.filter { $0.family == family }.map { NFTCommand.addSet($0.kind.set($0.name.text, family)) }
        let rules = catalogue.rules[family] ?? Rules(family)
        return [.addTable] + sets + RuleTable(family, catalogue).commands(restoring: rules, over: []) + [.deleteTable]
    }

    // MARK: Reading

    /// The rules in the table, without those of other chains.
    ///
    /// - Parameters:
    ///   - found: its chains.
    ///   - rules: its rules, in order within each chain.
    func rules(_ found: [NFTChain], _ rules: [NFTRule]) -> Rules {
        var result = Rules(family, in: .nftables)
        let byChain = Dictionary(grouping: rules, by: \.chain)
        for chain in chains where found.contains(NFTChain(name: RuleExpressions.name(chain))) {
            result.chains[chain] = byChain[RuleExpressions.name(chain), default: []].map { expressions.rule($0, in: chain) }
        }
        // The rules of a base chain are replaced together: if others changed it, all its jumps are missing.
        let intact = baseChains(jumps).filter { chain in
            found.contains(chain) && byChain[chain.name, default: []] == jumps.reversed().compactMap(rule).filter { $0.chain == chain.name }
        }.map(\.name)
        result.jumps = jumps.filter { intact.contains(RuleTable.baseChainName($0.table, $0.from)) }
        return result
    }

    /// The packets that each chain dropped, from the packets of the table's counters.
    func dropped(_ counters: [String: UInt64]) -> [Rules.Chain: UInt64] {
        Dictionary(uniqueKeysWithValues: chains.compactMap { chain in counters[RuleExpressions.counter(chain)].map { (chain, $0) } })
    }
}

// MARK: Errors

extension RuleTable {
    /// The error of a transaction in words, with the modules that the kernel may lack.
    static func explanation(_ error: NFTTransactionError, of commands: [NFTCommand], _ family: IPFamily, _ loading: ModuleLoading) -> String
    {
        var modules: [String] = error.error.map { isAbsence($0) ? ["nf_tables"] : [] } ?? []
        for failure in error.failures where isAbsence(failure.error) {
            for module in RuleTable.modules(for: commands[failure.commandIndex], family) where !modules.contains(module) {
                modules.append(module)
            }
        }
        return modules.isEmpty ? "\(error)" : "the kernel may lack modules: \(loading.advice(modules)) (\(error))"
    }

    /// Whether the error is one of a kernel that lacks something (net/netfilter/nf_tables_api.c, net/netfilter/nfnetlink.c).
    private static func isAbsence(_ error: NetlinkError) -> Bool {
        [ENOENT, EOPNOTSUPP, EAFNOSUPPORT, EINVAL].contains { error.code == .kernel(Errno(rawValue: $0)) }
    }

    /// The modules that a command needs in addition to nf_tables (net/netfilter/Kconfig).
    static func modules(for command: NFTCommand, _ family: IPFamily) -> [String] {
        switch command {
        case .addTable: return ["nf_tables"]
        case .addChain(let chain): return chain.hook?.type == .nat ? ["nft_chain_nat"] : []
        case .addCounter: return ["nft_counter"]
        case .addRule(let rule):
            let number = family == .ipv4 ? 4 : 6
            return rule.expressions.flatMap { expression -> [String] in
                switch expression {
                case .conntrackState: ["nft_ct"]
                case .addressType: ["nft_fib", "nft_fib_ipv\(number)"]
                case .masquerade: ["nft_masq"]
                case .destinationNAT: ["nft_nat"]
                case .reject: ["nft_reject", "nft_reject_ipv\(number)"]
                case .counter: ["nft_objref"]
                default: []
                }
            }
        default: return []
        }
    }
}
