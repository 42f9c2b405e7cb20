internal import Model

/// A sequence of slices that is repeated once in a period.
struct AuditRound: Sendable {
    private let period: Duration
    /// Whether the slices are spread evenly over the period, or follow each other.
    private let isSpread: Bool
    /// The remaining slices, in reverse order.
    private var slices: [Audit.Slice] = []
    /// When the current round started; nil before the first.
    private var start: Timestamp?
    /// The time between two slices.
    private var interval = Duration.zero
    /// When the next slice is due; nil until there is something to audit.
    private(set) var due: Timestamp?
    /// The slices of the current round that could not be read at first.
    private var repeated: Set<Audit.Slice> = []
    /// Whether a slice of the current round could not be read, or the round was cut off.
    private var isIncomplete = false
    /// The duration of the last round, from its start to the start of the next.
    private(set) var last: Duration?

    init(period: Duration, isSpread: Bool) {
        self.period = period
        self.isSpread = isSpread
    }

    /// Whether the slice after the one that is due is due as well.
    func isLate(at now: Timestamp) -> Bool { due.map { $0.advanced(by: interval) < now } ?? false }

    /// Whether all slices of the current round were returned, and each one has been read.
    var isReadCompletely: Bool { slices.isEmpty && !isIncomplete }

    /// Records that a slice of the current round, which started at `start`, could not be read. It is read again at the end of the round, once.
    mutating func fail(_ slice: Audit.Slice, from start: Timestamp) {
        guard repeated.insert(slice).inserted else {
            isIncomplete = true
            return
        }
        if slices.isEmpty { due = start.advanced(by: period / 50) }
        slices.insert(slice, at: 0)
    }

    /// Starts again, after a fiftieth of the period.
    mutating func begin(at now: Timestamp) {
        (slices, start, isIncomplete) = ([], nil, true)
        due = now.advanced(by: period / 50)
    }

    /// Returns the slice that is due; nil if there is nothing to audit.
    ///
    /// After a late slice, the next ones follow without a pause until the round is on time again.
    ///
    /// - Parameter plan: returns the slices of a new round, in order.
    mutating func next(at now: Timestamp, _ plan: () -> [Audit.Slice]) -> Audit.Slice? {
        if slices.isEmpty {
            if let start { last = start.duration(to: now) }
            (start, isIncomplete, repeated) = (now, false, [])
            slices = plan().reversed()
            interval = isSpread ? period / max(slices.count, 1) : .zero
            due = now
        }
        let slice = slices.popLast()
        due = slices.isEmpty ? start?.advanced(by: period) : due?.advanced(by: interval)
        return slice
    }
}
