internal import Model

/// The rule that limits the CPU time of audits: the more the last slice took, the later the next one follows.
///
/// All slices together take at most a share of one core, and those of the overview at most half of that share, so that the real servers are
/// read however much the overview costs. A few cheap slices may follow each other at once, so that an idle program wakes up rarely.
struct AuditPace: Sendable {
    /// The maximum CPU time of audits is the time divided by this: 0.4 % of one core, so that the program with everything else stays
    /// within 0.5 %.
    static let divisor = 250
    /// How long before its time a slice may start: slices may take 4 ms of CPU time in advance.
    private static let advance = Duration.seconds(1)

    /// When the CPU time so far, and that of the overview, is within its share.
    private var notBefore = Timestamp(nanoseconds: 0)
    private var overviewNotBefore = Timestamp(nanoseconds: 0)
    /// The CPU time so far.
    private(set) var cost = Duration.zero

    /// Returns when a slice that is due may start.
    func earliest(_ due: Timestamp, isOverview: Bool) -> Timestamp {
        max(due, max(notBefore, isOverview ? overviewNotBefore : notBefore).advanced(by: .zero - AuditPace.advance))
    }

    /// Leaves room for the CPU time of programs that read rules, which are not limited themselves.
    mutating func reserve(_ cost: Duration, from start: Timestamp) {
        notBefore = max(notBefore, start).advanced(by: cost * AuditPace.divisor)
    }

    /// Records the CPU time of a slice that started at `start`.
    mutating func record(_ cost: Duration, from start: Timestamp, isOverview: Bool) {
        self.cost += cost
        reserve(cost, from: start)
        if isOverview { overviewNotBefore = max(overviewNotBefore, start).advanced(by: cost * AuditPace.divisor * 2) }
    }
}
