public import Model

/// When to sync: at once when something changes, but not too often; again after a failure, with backoff; and now and then without a reason.
///
/// A value without a clock. `min` is counted from the end of a sync, so that a slow sync leaves room for others; requests in between become one.
public struct SyncSchedule: Hashable, Sendable {
    /// Rest between the end of a sync and the start of the next (`ipvs.minSyncPeriod`).
    public var minInterval: Duration
    /// A sync happens at least this often (`ipvs.syncPeriod`).
    public var maxInterval: Duration
    /// First wait after a failure; doubled with each further one up to `maxInterval`.
    public var firstRetry: Duration

    private var requestedAt: Timestamp?
    private var lastEnd: Timestamp?
    private var consecutiveFailures = 0

    public init(minInterval: Duration, maxInterval: Duration, firstRetry: Duration = .milliseconds(500)) {
        self.minInterval = minInterval
        self.maxInterval = maxInterval
        self.firstRetry = firstRetry
    }

    /// Something changed.
    public mutating func request(at now: Timestamp) { requestedAt = requestedAt ?? now }

    /// A sync began: what is requested from now on is for the next.
    public mutating func begin() { requestedAt = nil }

    public mutating func end(at now: Timestamp, succeeded: Bool) {
        lastEnd = now
        consecutiveFailures = succeeded ? 0 : consecutiveFailures + 1
    }

    /// When the next sync is due; may lie in the past.
    public func due(at now: Timestamp) -> Timestamp {
        guard let lastEnd else { return requestedAt ?? now }
        let earliest = lastEnd.advanced(by: minInterval)
        var due = lastEnd.advanced(by: maxInterval)
        if consecutiveFailures > 0 { due = min(due, lastEnd.advanced(by: retryInterval)) }
        if let requestedAt { due = min(due, requestedAt) }
        return max(due, earliest)
    }

    private var retryInterval: Duration {
        var wait = firstRetry
        for _ in 1..<max(consecutiveFailures, 1) where wait < maxInterval { wait *= 2 }
        return min(wait, maxInterval)
    }
}
