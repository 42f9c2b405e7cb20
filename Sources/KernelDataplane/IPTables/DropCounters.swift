internal import Model

/// How many packets chains of ours dropped, added up from the kernel's counters, which begin anew whenever rules are restored.
struct DropCounters {
    private(set) var totals: [IPFamily: [Rules.Chain: UInt64]] = [:]
    /// What the counters said last, of each family that was looked at.
    private var counters: [IPFamily: [Rules.Chain: UInt64]] = [:]

    /// Adds what came since the last look. The first look adds nothing: nobody knows since when those packets were dropped.
    mutating func read(_ found: [Rules.Chain: UInt64], of family: IPFamily) {
        defer { counters[family] = found }
        guard let before = counters[family] else { return }
        for (chain, packets) in found {
            let known = before[chain] ?? 0
            // Fewer than before: somebody set the counter back.
            totals[family, default: [:]][chain, default: 0] += packets < known ? packets : packets - known
        }
    }

    /// Rules have been restored: all counters of the family stood at 0.
    mutating func restart(_ family: IPFamily) { counters[family] = [:] }

    /// Whether there were rules that drop when the family was looked at last.
    func isCounting(_ family: IPFamily) -> Bool { counters[family].map { !$0.isEmpty } ?? false }
}
