internal import Model

/// A rule in the syntax of nft, for people (`man nft`).
enum RuleNotation {
    /// The rule after the name of its chain: `nat-KUBE-SERVICES: …`.
    ///
    /// - Parameter chain: one of this program, or a built-in chain of iptables, which is a base chain.
    static func line(_ rule: Rule, in chain: Rules.Chain, _ family: IPFamily, _ catalogue: NodeState) -> String {
        let name = RuleTable.baseChain(chain.table, chain.name)?.name ?? RuleExpressions.name(chain)
        return "\(name): \(text(rule, family, in: chain, catalogue.sets.mapValues(\.kind)))"
    }

    /// - Parameter kinds: the types of the sets, by name.
    static func text(_ rule: Rule, _ family: IPFamily, in chain: Rules.Chain, _ kinds: [AddressSet.Name: AddressSetType]) -> String {
        let words = rule.matches.map { text($0, family, kinds) } + [verdict(rule.verdict, family, chain)]
        return words.joined(separator: " ") + (rule.comment.map { " comment \"\($0)\"" } ?? "")
    }

    private static func text(_ match: Rule.Match, _ family: IPFamily, _ kinds: [AddressSet.Name: AddressSetType]) -> String {
        switch match {
        case .source(let range, let isNegated): "\(family.nftName) saddr \(isNegated ? "!= " : "")\(range)"
        case .inputInterface(let name, let isPrefix, let isNegated): "iifname \(isNegated ? "!= " : "")\"\(name)\(isPrefix ? "*" : "")\""
        case .transport(let transport, let isNegated): "meta l4proto \(isNegated ? "!= " : "")\(transport.lowercaseName)"
        case .echoRequest: family == .ipv4 ? "icmp type echo-request" : "icmpv6 type echo-request"
        case .set(let name, let sides): "\(parts(sides, kinds[name] ?? .hashIPPort, family)) @\(name)"
        case .mark(let mark, let isNegated): "meta mark & \(hex(mark)) \(isNegated ? "!= " : "== ")\(hex(mark))"
        case .isLocal(let side, let isNegated): "fib \(side == .source ? "saddr" : "daddr") type \(isNegated ? "!= " : "")local"
        case .connection(let states): "ct state \(states.map(\.rawValue).joined(separator: ","))"
        // nft has no such match, and no rule of this program in nf_tables has it.
        case .bridgePort(let isNegated): "\(isNegated ? "! " : "")bridge port"
        case .virtualServer(let server):
            "\(family.nftName) daddr \(server.location.address) \(server.transport.lowercaseName) dport \(server.location.port)"
        }
    }

    private static func parts(_ sides: [Rule.Side], _ kind: AddressSetType, _ family: IPFamily) -> String {
        var sides = sides[...]
        return kind.key(family).map { part in
            switch part {
            case .ipv4Address, .ipv6Address: "\(family.nftName) \(sides.popFirst() == .source ? "saddr" : "daddr")"
            case .protocol: "meta l4proto"
            case .port: "th \(sides.popFirst() == .source ? "sport" : "dport")"
            }
        }.joined(separator: " . ")
    }

    private static func verdict(_ verdict: Rule.Verdict, _ family: IPFamily, _ chain: Rules.Chain) -> String {
        switch verdict {
        case .accept where chain.table == .nat: "dnat to \(family.nftName) daddr"
        case .accept: "accept"
        case .drop: "counter name \"\(RuleExpressions.counter(chain))\" drop"
        case .return: "return"
        case .jump(let target): "jump \(RuleExpressions.name(Rules.Chain(chain.table, target)))"
        case .masquerade(let isFullyRandom): isFullyRandom ? "masquerade fully-random" : "masquerade"
        case .setMark(let mark): "meta mark set mark | \(hex(mark))"
        case .invertMark(let mark): "meta mark set mark ^ \(hex(mark))"
        case .reject(.tcpReset): "reject with tcp reset"
        case .reject(.portUnreachable): "reject with \(family == .ipv4 ? "icmp" : "icmpv6") type port-unreachable"
        case .reject(.protocolUnreachable):
            family == .ipv4 ? "reject with icmp type prot-unreachable" : "reject with icmpv6 type port-unreachable"
        case .other(let text): text
        }
    }

    private static func hex(_ number: UInt32) -> String { "0x" + String(number, radix: 16) }
}

extension Rule {
    /// Whether the rule matches one transport protocol.
    var hasTransport: Bool { matches.contains { if case .transport(_, false) = $0 { true } else { false } } }
}
