internal import Model

/// A base chain of another firewall in nf_tables that drops packets. An accept in another chain does not change that.
public struct DroppingChain: Hashable, Sendable, CustomStringConvertible {
    public enum Hook: String, Hashable, Sendable { case input, forward }
    public enum Cause: String, Hashable, Sendable {
        case policy = "policy drop"
        /// A rule that matches all packets.
        case rule = "rule without conditions that drops or rejects"
    }

    /// As nft names it: ip, ip6 or inet.
    public let family: String
    public let table: String
    public let chain: String
    public let hook: Hook
    public let cause: Cause

    public var description: String { "\(family) \(table) \(chain)" }

    /// What the chain must accept, with the command that adds it.
    public var advice: String {
        switch hook {
        case .forward: "it must accept established connections, if it does not yet: \(acceptingEstablished)"
        case .input: "it must accept packets to service addresses and node ports, if it does not yet: \(acceptingServices)"
        }
    }

    private var acceptingEstablished: String {
        guard let program else { return "nft insert rule \(self) ct state established,related accept" }
        return "\(program) -I \(chain) -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    }

    private var acceptingServices: String {
        guard let program else { return "nft insert rule \(self) \(family == "ip6" ? "ip6" : "ip") daddr SERVICE-CIDR accept" }
        return "\(program) -I \(chain) -d SERVICE-CIDR -j ACCEPT"
    }

    /// The program of iptables-nft that the chain belongs to, which cannot list tables with rules of nft; nil if it is one of nft.
    private var program: String? {
        guard family != "inet", table == "filter", chain == hook.rawValue.uppercased() else { return nil }
        return family == "ip6" ? "ip6tables-nft" : "iptables-nft"
    }
}

extension NodePacketFilter {
    /// Finds base chains of other firewalls in nf_tables that drop packets at the hooks input and forward. Those of iptables-legacy are not found.
    ///
    /// Reads all base chains, and the rules of those at these hooks.
    public func droppingChains() throws(DataplaneError) -> [DroppingChain] {
        let client = try NFTablesClient()
        var found: [DroppingChain] = []
        for base in DroppingChain.candidates(try client.baseChains(), for: self) {
            var read: [String: [NFTRule]] = [:]
            // An unknown chain is read, and the base chain is judged again: chains that all packets pass are few.
            for _ in 0..<DroppingChain.maximumDepth {
                guard let unread = base.firstUnreadChain(read) else { break }
                read[unread] = try client.rules(family: base.family, table: base.table, chain: unread)
            }
            if let dropping = DroppingChain(base, rules: read) { found.append(dropping) }
        }
        return found
    }
}

extension DroppingChain {
    /// The maximum number of chains of a table that are read for one base chain.
    static let maximumDepth = 16

    /// The base chains of others that packets of these families pass, in a fixed order.
    static func candidates(_ chains: [NFTBaseChain], for filter: NodePacketFilter) -> [NFTBaseChain] {
        candidates(chains, families: filter.families, backend: filter.iptables?.backend)
    }

    /// - Parameter backend: of iptables; nil for nf_tables.
    static func candidates(_ chains: [NFTBaseChain], families: Set<IPFamily>, backend: IPTables.Backend?) -> [NFTBaseChain] {
        let names = Set(families.map(\.nftName) + ["inet"])
        let found = chains.filter { base in
            guard let hook = base.chain.hook, hook.type == .filter, Hook(hook.point) != nil, names.contains(base.family) else {
                return false
            }
            switch backend {
            case .nft: return !(base.table == "filter" && base.family != "inet")
            case .legacy: return true
            case nil: return base.table != BackendRules.tableName
            }
        }
        return found.sorted { ($0.family, $0.table, $0.chain.name) < ($1.family, $1.table, $1.chain.name) }
    }

    /// Nil if the chain does not drop packets, as far as the rules show.
    ///
    /// - Parameter rules: of each chain that was read.
    init?(_ base: NFTBaseChain, rules: [String: [NFTRule]]) {
        guard let hook = base.chain.hook.flatMap({ Hook($0.point) }) else { return nil }
        let cause: Cause
        switch base.outcome(rules) {
        case .drops: cause = .rule
        case .continues where base.chain.policyIsDrop: cause = .policy
        case .accepts, .continues, .unread: return nil
        }
        self.init(family: base.family, table: base.table, chain: base.chain.name, hook: hook, cause: cause)
    }
}

extension DroppingChain.Hook {
    fileprivate init?(_ point: NFTChain.Hook.Point) { self.init(rawValue: point.rawValue) }
}

extension NFTBaseChain {
    /// What a chain does with a packet that no rule with conditions matches.
    fileprivate enum Outcome: Hashable {
        case accepts, drops, continues
        /// Depends on the rules of this chain.
        case unread(String)
    }

    /// The first chain that is needed to judge this one and was not read; nil if none is.
    fileprivate func firstUnreadChain(_ rules: [String: [NFTRule]]) -> String? {
        if case .unread(let chain) = outcome(rules) { return chain }
        return nil
    }

    fileprivate func outcome(_ rules: [String: [NFTRule]]) -> Outcome {
        var known: [String: Outcome] = [:]
        return outcome(of: chain.name, rules, &known)
    }

    /// - Parameter known: the outcomes of the chains so far: many rules may lead to the same chain.
    private func outcome(of chain: String, _ rules: [String: [NFTRule]], _ known: inout [String: Outcome]) -> Outcome {
        if let outcome = known[chain] { return outcome }
        guard let ofChain = rules[chain] else { return .unread(chain) }
        // The kernel has no chain that leads to itself.
        known[chain] = .unread(chain)
        let outcome = outcome(of: ofChain, rules, &known)
        known[chain] = outcome
        return outcome
    }

    private func outcome(of ofChain: [NFTRule], _ rules: [String: [NFTRule]], _ known: inout [String: Outcome]) -> Outcome {
        for rule in ofChain {
            guard let last = rule.expressions.last, rule.expressions.dropLast().allSatisfy(\.matchesAll) else { continue }
            switch last {
            case .verdict(.accept): return .accepts
            case .verdict(.drop), .reject, .other("reject"), .other("target REJECT"): return .drops
            case .verdict(.returning): return .continues
            case .verdict(.jump(let target)):
                let outcome = outcome(of: target, rules, &known)
                guard outcome == .continues else { return outcome }
            case .other(let name) where name.hasPrefix("goto "):
                return outcome(of: String(name.dropFirst("goto ".count)), rules, &known)
            default: continue
            }
        }
        return .continues
    }
}

extension NFTExpression {
    /// Whether the rule continues with every packet.
    fileprivate var matchesAll: Bool {
        switch self {
        case .counter, .setMark, .payload, .meta, .conntrackState, .bitwise, .addressType: true
        case .other(let name): ["counter", "immediate", "log"].contains(name)
        default: false
        }
    }
}
