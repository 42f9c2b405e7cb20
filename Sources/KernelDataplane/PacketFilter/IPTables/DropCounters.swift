internal import Model

/// The total number of packets dropped by the proxy's chains, from the kernel's counters, which restart at 0 whenever rules are restored.
struct DropCounters {
    private(set) var totals: [IPFamily: [Rules.Chain: UInt64]] = [:]
    /// The last counter values of each family that was read.
    private var counters: [IPFamily: [Rules.Chain: UInt64]] = [:]

    /// Adds the packets since the last read. The first read adds nothing, as the start of its counters is unknown.
    mutating func read(_ found: [Rules.Chain: UInt64], of family: IPFamily) {
        defer { counters[family] = found }
        guard let before = counters[family] else { return }
        for (chain, packets) in found {
            let known = before[chain] ?? 0
            // Fewer than before: the counter was reset externally.
            totals[family, default: [:]][chain, default: 0] += packets < known ? packets : packets - known
        }
    }

    /// Records that rules were restored: all counters of the family restart at 0.
    mutating func restart(_ family: IPFamily) { counters[family] = [:] }

    /// Whether the last read of the family found rules that drop packets.
    func isCounting(_ family: IPFamily) -> Bool { counters[family].map { !$0.isEmpty } ?? false }
}
