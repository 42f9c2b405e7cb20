import Model

@testable import KernelDataplane
@testable import Translation

extension FuzzTarget {
    /// The output of iptables-save.
    static let rules = FuzzTarget("rules") { bytes in
        var choices = Choices(bytes)
        let family = choices.choice(IPFamily.allCases)
        let catalogue = FuzzTarget.catalogues[family] ?? Rules(family)
        let saved = choices.text
        let listing = RulesText.listing(saved, catalogue: catalogue)
        let rules = listing.rules
        // What is restored is listed as the same rules. `iptables-save` prints no duplicate tables.
        let again = RulesText.listing(RulesText.restore(rules, missingJumps: []), catalogue: catalogue)
        try require(again.chains == listing.chains, "\(listing.chains) is restored as \(again.chains)")
        var counters = DropCounters()
        counters.read([:], of: family)
        counters.read(listing.dropped, of: family)
        _ = RulesText.remove(LeftoverRules.parse(saved, catalogue: catalogue))
        for backend in IPTablesBackend.allCases {
            if let found = LeftoverRules.parse(saved, in: backend, catalogue: catalogue) { _ = RulesText.remove(found) }
        }
        // Any line may be a rule.
        for line in saved.split(separator: "\n").prefix(16) {
            let rule = RuleText.rule(String(line), family)
            try require(RuleText.text(rule, family) == line, "the rule \(line) is written as \(RuleText.text(rule, family))")
            if case .other = rule.verdict { continue }
            try require(RuleText.rule(RuleText.text(rule, family), family) == rule, "the rule \(line) changes when it is read again")
        }
        _ = IPTables.withoutRepetition(saved)
        _ = IPTablesResult(Command.Result(exitCode: 1, output: saved, standardError: saved))
        _ = Detection.isAtLeast1_6_2(saved)
    }

    private static let catalogues = Dictionary(
        uniqueKeysWithValues: IPFamily.allCases.map { family in
            let settings = TranslationSettings(nodeName: "node1", families: [family])
            return (family, Translation.catalogue(settings).rules[family] ?? Rules(family))
        })
}
