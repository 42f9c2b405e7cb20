import Model
import Testing

@testable import KernelDataplane

/// The decision about chains of other firewalls; reading them is tested in `NFTablesRoundTripTests`.
@Suite struct `Chains of other firewalls` {
    private static func base(
        _ family: String = "inet", _ table: String = "mine", _ chain: String = "input", _ point: NFTChain.Hook.Point = .input,
        type: NFTChain.Hook.ChainType = .filter, drops: Bool = false
    ) -> NFTBaseChain {
        NFTBaseChain(
            family: family, table: table,
            chain: NFTChain(name: chain, hook: .init(point: point, type: type, priority: 10), policyIsDrop: drops))
    }

    private static func rule(_ expressions: NFTExpression..., in chain: String = "input") -> NFTRule {
        NFTRule(chain: chain, expressions: expressions)
    }

    private static let condition = NFTExpression.compare(.first, isEqual: true, [1])

    struct Case: CustomTestStringConvertible {
        var name: String
        var policyIsDrop = false
        var rules: [String: [NFTRule]]
        var cause: DroppingChain.Cause?
        var testDescription: String { name }
    }

    private static let cases = [
        Case(name: "empty", rules: ["input": []]),
        Case(name: "policy", policyIsDrop: true, rules: ["input": []], cause: .policy),
        Case(
            name: "policy after rules with conditions", policyIsDrop: true,
            rules: ["input": [rule(.conntrackState(to: .first), condition, .verdict(.accept))]], cause: .policy),
        Case(
            name: "policy after accept of all packets", policyIsDrop: true, rules: ["input": [rule(.other("counter"), .verdict(.accept))]]),
        Case(name: "drop", rules: ["input": [rule(.verdict(.drop))]], cause: .rule),
        Case(name: "drop that counts and logs", rules: ["input": [rule(.other("counter"), .other("log"), .verdict(.drop))]], cause: .rule),
        Case(name: "drop with a condition", rules: ["input": [rule(condition, .verdict(.drop))]]),
        Case(name: "drop with an unknown expression", rules: ["input": [rule(.other("limit"), .verdict(.drop))]]),
        Case(name: "reject", rules: ["input": [rule(.reject(.icmp(3)))]], cause: .rule),
        Case(name: "reject in the family inet", rules: ["input": [rule(.other("reject"))]], cause: .rule),
        Case(name: "reject of iptables-nft", rules: ["input": [rule(.other("counter"), .other("target REJECT"))]], cause: .rule),
        Case(name: "another target of iptables-nft", rules: ["input": [rule(.other("target LOG"))]]),
        Case(name: "return before drop", rules: ["input": [rule(.verdict(.returning)), rule(.verdict(.drop))]]),
        Case(
            name: "jump to a chain that drops", rules: ["input": [rule(.verdict(.jump("a")))], "a": [rule(.verdict(.drop), in: "a")]],
            cause: .rule),
        Case(
            name: "jump to a chain that accepts, before drop",
            rules: ["input": [rule(.verdict(.jump("a"))), rule(.verdict(.drop))], "a": [rule(.verdict(.accept), in: "a")]]),
        Case(
            name: "jump to a chain that returns, before reject, as firewalld has",
            rules: [
                "input": [rule(condition, .verdict(.accept)), rule(.verdict(.jump("a"))), rule(.other("reject"))],
                "a": [rule(condition, .verdict(.jump("b")), in: "a"), rule(.verdict(.returning), in: "a")],
            ], cause: .rule),
        Case(
            name: "jump with a condition to a chain that drops",
            rules: ["input": [rule(condition, .verdict(.jump("a")))], "a": [rule(.verdict(.drop), in: "a")]]),
        Case(
            name: "goto to a chain that ends, before drop", policyIsDrop: false,
            rules: ["input": [rule(.other("goto a")), rule(.verdict(.drop))], "a": []]),
        Case(
            name: "goto to a chain that ends, with the policy", policyIsDrop: true, rules: ["input": [rule(.other("goto a"))], "a": []],
            cause: .policy),
        Case(name: "jump to an unread chain", policyIsDrop: true, rules: ["input": [rule(.verdict(.jump("a")))]]),
    ]

    @Test(arguments: cases)
    func `drop if a packet that no condition matches is dropped`(of: Case) {
        let found = DroppingChain(Self.base(drops: of.policyIsDrop), rules: of.rules)
        #expect(found?.cause == of.cause)
    }

    /// With sixteen levels of jumps, sixteen each, every path would be walked 16¹⁵ times.
    @Test func `are judged once for each chain, however many rules lead to it`() {
        let names = (0...15).map { $0 == 0 ? "input" : "level\($0)" }
        var rules = Dictionary(
            uniqueKeysWithValues: zip(names, names.dropFirst()).map { from, to in
                (from, Array(repeating: Self.rule(.verdict(.jump(to)), in: from), count: 16))
            })
        rules["level15"] = []
        #expect(DroppingChain(Self.base(drops: true), rules: rules)?.cause == .policy)
        rules["level15"] = [Self.rule(.verdict(.jump("level3")), in: "level15")]
        #expect(DroppingChain(Self.base(drops: true), rules: rules) == nil)
    }

    private static let all = [
        base("ip", "filter", "INPUT"), base("ip", "filter", "FORWARD", .forward), base("ip6", "filter", "INPUT"),
        base("ip", "mangle", "FORWARD", .forward), base("inet", "firewalld", "filter_INPUT"), base("inet", "filter", "input"),
        base("ip", "kube-ipvs-proxy", "filter-input"), base("inet", "raw", "prerouting", .prerouting),
        base("ip", "nat", "INPUT", type: .nat),
        base("inet", "out", "output", .output),
    ]

    private static let selections: [(backend: IPTables.Backend?, families: Set<IPFamily>, expected: [String])] = [
        (
            nil, [.ipv4, .ipv6],
            [
                "inet filter input", "inet firewalld filter_INPUT", "ip filter FORWARD", "ip filter INPUT", "ip mangle FORWARD",
                "ip6 filter INPUT",
            ]
        ),
        (nil, [.ipv6], ["inet filter input", "inet firewalld filter_INPUT", "ip6 filter INPUT"]),
        (
            .nft, [.ipv4, .ipv6],
            ["inet filter input", "inet firewalld filter_INPUT", "ip kube-ipvs-proxy filter-input", "ip mangle FORWARD"]
        ),
        (.legacy, [.ipv6], ["inet filter input", "inet firewalld filter_INPUT", "ip6 filter INPUT"]),
    ]

    @Test(arguments: selections)
    func `are those that the proxy's own accept does not override`(
        backend: IPTables.Backend?, families: Set<IPFamily>, expected: [String]
    ) {
        let found = DroppingChain.candidates(Self.all, families: families, backend: backend)
        #expect(found.map { "\($0.family) \($0.table) \($0.chain.name)" } == expected)
    }

    private static let advices: [(base: NFTBaseChain, advice: String)] = [
        (
            base("inet", "firewalld", "filter_FORWARD", .forward),
            "it must accept established connections, if it does not yet: nft insert rule inet firewalld filter_FORWARD ct state established,related accept"
        ),
        (
            base("ip", "filter", "FORWARD", .forward),
            "it must accept established connections, if it does not yet: iptables-nft -I FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
        ),
        (
            base("inet", "mine", "input"),
            "it must accept packets to service addresses and node ports, if it does not yet: nft insert rule inet mine input ip daddr SERVICE-CIDR accept"
        ),
        (
            base("ip6", "filter", "INPUT"),
            "it must accept packets to service addresses and node ports, if it does not yet: ip6tables-nft -I INPUT -d SERVICE-CIDR -j ACCEPT"
        ),
    ]

    @Test(arguments: advices)
    func `come with the command that adds what they must accept`(base: NFTBaseChain, advice: String) {
        var base = base
        base.chain.policyIsDrop = true
        #expect(DroppingChain(base, rules: [base.chain.name: []])?.advice == advice)
    }
}
