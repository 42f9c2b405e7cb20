import Synchronization

/// Passes changes from a source of objects, which must never wait, to the sync loop, which takes all pending changes when it is ready.
///
/// A change replaces a pending change of the same object, so that the pending changes are bounded by the number of objects.
public final class ChangeFeed: Sendable {
    /// The pending changes.
    public struct Batch: Hashable, Sendable {
        /// At most one per object, in the order in which the objects first changed.
        public var changes: [ClusterChange]
        /// Whether the source has delivered its first complete list, with this batch or before.
        public var synced: Bool
        /// Whether the source is incomplete: something that it cannot read may be an object in service. While it is, objects should not be
        /// removed for being unknown.
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

    /// Yields once after any number of changes; for a single consumer, which then calls `take`.
    public let wakeups: AsyncStream<Void>

    public init() {
        (wakeups, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Adds changes to the pending ones and wakes the consumer.
    public func publish(_ changes: [ClusterChange]) {
        guard !changes.isEmpty else { return }
        pending.withLock { pending in
            for change in changes where pending.changes.updateValue(change, forKey: change.key) == nil {
                pending.order.append(change.key)
            }
        }
        wake.yield()
    }

    /// Records that the first complete list has been published.
    public func markSynced() {
        let isNew = pending.withLock { pending in
            defer { pending.synced = true }
            return !pending.synced
        }
        if isNew { wake.yield() }
    }

    /// Records whether the source is incomplete.
    public func setIncomplete(_ isIncomplete: Bool) {
        let isNew = pending.withLock { pending in
            defer { pending.isIncomplete = isIncomplete }
            return pending.isIncomplete != isIncomplete
        }
        if isNew { wake.yield() }
    }

    /// Returns the pending changes and clears them.
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

/// A source of Services, EndpointSlices and Nodes.
public protocol ClusterSource: Sendable {
    /// The feed to which it publishes changes.
    var feed: ChangeFeed { get }

    /// Keeps the feed current until the task is cancelled.
    func run() async throws
}
