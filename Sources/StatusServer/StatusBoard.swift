public import Kubernetes
public import Model
internal import Synchronization
public import SyncLoop

/// The state of the proxy for the status servers, updated by the proxy.
public final class StatusBoard: ProxyObserver {
    private struct State {
        var health: Health
        var status: ProxyStatus
        var watcher: AsyncStream<Void>.Continuation?
        /// What a standby waits for; nil if the proxy serves.
        var standbyFor: String?
        var isReadyStandby = false
    }

    private let state: Mutex<State>
    private let now: @Sendable () -> Moment
    /// Whether a Node object is expected; if not, as with manifests, the node is eligible without one.
    private let expectsNode: Bool
    public let metrics: ProxyMetrics
    /// Emits an element after each sync.
    public let changes: AsyncStream<Void>

    /// - Parameters:
    ///   - families: The families that this node serves.
    ///   - syncPeriod: Half of the time that a change may be pending.
    public init(families: Set<IPFamily>, syncPeriod: Duration, expectsNode: Bool, now: @escaping @Sendable () -> Moment = { Moment.now }) {
        let (changes, watcher) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.changes = changes
        self.expectsNode = expectsNode
        self.now = now
        metrics = ProxyMetrics(families: families)
        state = Mutex(State(health: Health(limit: syncPeriod * 2), status: ProxyStatus(families: families), watcher: watcher))
    }

    public var health: Health {
        state.withLock { state in
            guard let standbyFor = state.standbyFor else { return state.health }
            var health = state.health
            if state.isReadyStandby { health.standbyFor = standbyFor } else { health.waitingFor = "standby: \(standbyFor)" }
            return health
        }
    }
    public var status: ProxyStatus { state.withLock(\.status) }

    public var isNodeEligible: Bool { state.withLock { $0.status.node.map(\.isEligible) ?? !expectsNode } }

    /// - Parameter program: What the standby waits for.
    public func wait(asStandbyFor program: String) {
        state.withLock { $0.standbyFor = program }
        metrics.setStandby(true)
    }

    // MARK: ProxyObserver

    public func becameReadyStandby() { state.withLock { $0.isReadyStandby = true } }

    public func tookOver() {
        state.withLock { $0.standbyFor = nil }
        metrics.setStandby(false)
    }

    /// Updates the node at once, as its taints apply even if they do not change the kernel.
    public func changed(_ changes: [ClusterChange], node: Node?, pending: PendingChanges) {
        state.withLock { $0.status.node = node }
        metrics.changed(changes, pending: pending)
    }

    public func queued() {
        let now = now()
        state.withLock { $0.health.queue($0.status.families, at: now) }
        metrics.queued(at: now)
    }

    public func audited(_ status: AuditStatus) { metrics.audited(status) }

    public func synced(_ outcome: SyncOutcome, _ status: ProxyStatus, desired: NodeState) {
        let now = now()
        let programmed = Health.programmed(status)
        let before = state.withLock { state in
            defer {
                state.status = status
                state.health.failures = Health.failures(status)
                state.health.update(programmed, at: now)
                state.health.queue(status.families.subtracting(programmed), at: now)
                state.watcher?.yield()
            }
            return state.status
        }
        metrics.synced(outcome, status, before: before, at: now)
    }
}
