internal import Model

/// When the next sync of changes is due: immediately, or the minimum sync period after the last one ended (`ipvs.minSyncPeriod`).
///
/// Retries, polls and audits do not wait for it.
struct MinSyncPeriod: Hashable, Sendable {
    private let period: Duration
    /// When the oldest change that is not yet included in a sync arrived.
    private var requestedAt: Timestamp?
    private var lastSyncEnded: Timestamp?

    init(_ period: Duration) { self.period = period }

    var isSyncRequested: Bool { requestedAt != nil }

    /// Nil if no sync is requested.
    var due: Timestamp? {
        guard let requestedAt else { return nil }
        return lastSyncEnded.map { max(requestedAt, $0.advanced(by: period)) } ?? requestedAt
    }

    mutating func requestSync(at now: Timestamp) { requestedAt = requestedAt ?? now }

    /// Records the start of a sync that includes all changes so far.
    mutating func syncBegan() { requestedAt = nil }

    /// Records the end of a sync that included changes.
    mutating func syncEnded(at now: Timestamp) { lastSyncEnded = now }
}
