import Synchronization

/// The hand-over between a source of objects, which must never wait, and the proxy, which takes what there is when it has time.
///
/// Changes of the same object replace one another, so that what is pending is bounded by the number of objects.
public final class ChangeFeed: Sendable {
    /// What was pending.
    public struct Batch: Hashable, Sendable {
        /// At most one an object, in the order in which the objects first changed.
        public var changes: [ClusterChange]
        /// Whether the source has delivered its first full list, with this batch or before.
        public var synced: Bool
        /// Whether the source is in doubt about what exists: something it cannot read may be an object that is in service. Then nothing
        /// should be taken away for not being known.
        public var isIncomplete: Bool

        public init(changes: [ClusterChange] = [], synced: Bool = false, isIncomplete: Bool = false) {
            self.changes = changes
            self.synced = synced
            self.isIncomplete = isIncomplete
        }
    }

    private struct Pending {
        var order: [ClusterChange.Key] = []
        var changes: [ClusterChange.Key: ClusterChange] = [:]
        var synced = false
        var isIncomplete = false
    }

    private let pending = Mutex(Pending())
    private let wake: AsyncStream<Void>.Continuation

    /// One element after any number of changes; for a single reader, which then calls `take`.
    public let wakeups: AsyncStream<Void>

    public init() {
        (wakeups, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Adds changes to what is pending and wakes the reader.
    public func publish(_ changes: [ClusterChange]) {
        guard !changes.isEmpty else { return }
        pending.withLock { pending in
            for change in changes where pending.changes.updateValue(change, forKey: change.key) == nil {
                pending.order.append(change.key)
            }
        }
        wake.yield()
    }

    /// Says that everything there was at the start has been published.
    public func markSynced() {
        let isNew = pending.withLock { pending in
            defer { pending.synced = true }
            return !pending.synced
        }
        if isNew { wake.yield() }
    }

    /// Says whether the source is in doubt about what exists.
    public func setIncomplete(_ isIncomplete: Bool) {
        let isNew = pending.withLock { pending in
            defer { pending.isIncomplete = isIncomplete }
            return pending.isIncomplete != isIncomplete
        }
        if isNew { wake.yield() }
    }

    /// Everything pending, which is then pending no more.
    public func take() -> Batch {
        let taken = pending.withLock { pending in
            defer {
                pending.order = []
                pending.changes = [:]
            }
            return pending
        }
        return Batch(changes: taken.order.compactMap { taken.changes[$0] }, synced: taken.synced, isIncomplete: taken.isIncomplete)
    }
}

/// Where Services, EndpointSlices and Nodes come from.
public protocol ClusterSource: Sendable {
    /// Where it puts what it learns.
    var feed: ChangeFeed { get }

    /// Keeps the feed current until the task is cancelled.
    func run() async throws
}
