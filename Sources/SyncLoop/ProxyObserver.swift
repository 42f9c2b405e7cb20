public import Kubernetes
public import Model

/// Learns what the proxy does, for those who ask: health checks, metrics, relays. Nothing of it may wait or fail.
public protocol ProxyObserver: Sendable {
    /// Objects changed, and a sync will follow.
    ///
    /// - Parameters:
    ///   - node: this node's Node object, as far as it is known.
    ///   - pending: all objects that changed since a sync took changes over.
    func changed(_ changes: [ClusterChange], node: Node?, pending: PendingChanges)

    /// A sync is asked for, whether objects changed or not.
    func queued()

    /// A sync is over.
    ///
    /// - Parameter desired: what the kernel is to hold; whoever keeps it makes the next sync copy it.
    func synced(_ outcome: SyncOutcome, _ status: ProxyStatus, desired: NodeState)
}

extension ProxyObserver {
    public func changed(_ changes: [ClusterChange], node: Node?, pending: PendingChanges) {}
    public func queued() {}
    public func synced(_ outcome: SyncOutcome, _ status: ProxyStatus, desired: NodeState) {}
}
