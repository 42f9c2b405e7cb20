internal import Model

/// When the next sync of changes is due: at once, or the minimum sync period after the last one ended (`ipvs.minSyncPeriod`).
///
/// Retries, polls and audits do not wait for it.
struct MinSyncPeriod: Hashable, Sendable {
    private let period: Duration
    /// When the oldest change that no sync includes yet arrived.
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

    /// A sync began that includes all changes so far.
    mutating func syncBegan() { requestedAt = nil }

    /// A sync that included changes ended.
    mutating func syncEnded(at now: Timestamp) { lastSyncEnded = now }
}
