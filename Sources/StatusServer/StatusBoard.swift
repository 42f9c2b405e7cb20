public import Kubernetes
public import Model
public import NodeProxy
internal import Synchronization

/// What the servers know of the proxy: written by the proxy as it works, read by whoever asks.
public final class StatusBoard: ProxyObserver {
    private struct State {
        var health: Health
        var standing: Standing
        var watcher: AsyncStream<Void>.Continuation?
    }

    private let state: Mutex<State>
    private let now: @Sendable () -> Moment
    /// Without a Node object, as with manifests, nothing can be said against the node.
    private let expectsNode: Bool
    public let metrics: ProxyMetrics
    /// One after each sync.
    public let changes: AsyncStream<Void>

    /// - Parameters:
    ///   - families: those that this node serves.
    ///   - syncPeriod: something may wait for twice as long.
    public init(families: Set<IPFamily>, syncPeriod: Duration, expectsNode: Bool, now: @escaping @Sendable () -> Moment = { Moment.now }) {
        let (changes, watcher) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.changes = changes
        self.expectsNode = expectsNode
        self.now = now
        metrics = ProxyMetrics(families: families)
        state = Mutex(State(health: Health(limit: syncPeriod * 2), standing: Standing(families: families), watcher: watcher))
    }

    public var health: Health { state.withLock(\.health) }
    public var standing: Standing { state.withLock(\.standing) }

    public var isNodeEligible: Bool { state.withLock { $0.standing.node.map(\.isEligible) ?? !expectsNode } }

    // MARK: ProxyObserver

    /// The node's taints count as soon as they are known, whether they change anything in the kernel or not.
    public func changed(_ changes: [ClusterChange], node: Node?) {
        state.withLock { $0.standing.node = node }
        metrics.changed(changes)
    }

    public func queued() {
        let now = now()
        state.withLock { $0.health.queue($0.standing.families, at: now) }
        metrics.queued(at: now)
    }

    public func synced(_ outcome: Synchronizer.Outcome, _ standing: Standing, isLook: Bool) {
        let now = now()
        let programmed = Health.programmed(by: outcome, standing)
        state.withLock { state in
            state.standing = standing
            state.health.update(programmed, at: now)
            state.health.queue(standing.families.subtracting(programmed), at: now)
            state.watcher?.yield()
        }
        metrics.synced(outcome, standing, isLook: isLook, at: now)
    }
}
