public import Kubernetes
public import Model
public import Reconciler
public import Translation

/// The state of the proxy after a sync, from which health checks, metrics, log messages and Events are derived.
public struct ProxyStatus: Sendable {
    /// The IP families that this node serves.
    public var families: Set<IPFamily>
    public var serviceCount = 0
    public var virtualServerCount = 0
    /// This node's Node object; nil if it is not known.
    public var node: Node?
    public var healthChecks: [NamespacedName: HealthCheckNodePort] = [:]
    public var healthCheckAddresses: [IPFamily: HealthCheckAddresses] = [:]
    /// The number of Services that require an endpoint on this node and have none.
    public var noLocalEndpoints: [NoLocalEndpoints: Int] = [:]
    /// Addresses of Services and of their endpoints that are refused.
    public var refusedAddresses: [NamespacedName: Set<ServiceRefusal>] = [:]
    /// Virtual servers that Services specify but an older Service already has.
    public var conflicts: [NamespacedName: Set<VirtualServer.Identity>] = [:]
    /// Ignored annotations of Services and their EndpointSlices.
    public var invalidAnnotations: [NamespacedName: Set<InvalidAnnotation>] = [:]
    /// The number of draining real servers.
    public var drainingServers = 0
    /// The number of packets dropped since the program started.
    public var droppedPackets: [DroppedPackets: UInt64] = [:]

    /// Failed operations that will be retried, including refused ones.
    public var failing: [Operation.Key: Retries.Entry] = [:]
    /// Parts of the kernel state whose last read failed.
    public var unreadable: [ObservationFailure.Part: ObservationFailure] = [:]
    /// Families whose rules are not known or lack some of the desired rules.
    public var familiesWithoutRules: Set<IPFamily> = []
    /// Services with failed or deferred operations.
    public var pendingServices: Set<NamespacedName> = []
    /// Whether the kernel, as last observed, holds the complete desired state. Refused operations do not count.
    public var isInSync = false
    /// Objects that changed and are not yet included in a sync.
    public var pendingChanges = PendingChanges()

    public init(families: Set<IPFamily>) { self.families = families }

    /// Failed operations, without refused ones.
    public var failures: some Sequence<Retries.Entry> { failing.values.lazy.filter { !$0.isRefusal } }
}

/// The objects that changed since the last sync with changes began.
public struct PendingChanges: Hashable, Sendable {
    public var services: Set<NamespacedName> = []
    public var slices: Set<NamespacedName> = []

    public init() {}

    mutating func record(_ change: ClusterChange) {
        switch change {
        case .service(let name, _): services.insert(name)
        case .endpointSlice(let name, _): slices.insert(name)
        case .node, .otherNodes: break
        }
    }
}

/// Is notified of changes and syncs, for health checks, metrics and relays. The methods must not block and cannot fail.
public protocol ProxyObserver: Sendable {
    /// Called when objects changed. A sync follows.
    ///
    /// - Parameters:
    ///   - node: this node's Node object; nil if it is not known.
    ///   - pending: all objects that changed since the last sync with changes began.
    func changed(_ changes: [ClusterChange], node: Node?, pending: PendingChanges)

    /// Called when a sync is requested, whether objects changed or not.
    func queued()

    /// Called when a sync ended.
    ///
    /// - Parameter desired: the desired kernel state. An observer that keeps it makes the next sync copy it.
    func synced(_ outcome: SyncOutcome, _ status: ProxyStatus, desired: NodeState)

    /// Called when a part of the kernel state was audited.
    func audited(_ status: AuditStatus)

    /// Called when a standby could take over.
    func becameReadyStandby()

    /// Called when a standby took over. A sync follows.
    func tookOver()
}

extension ProxyObserver {
    public func changed(_ changes: [ClusterChange], node: Node?, pending: PendingChanges) {}
    public func queued() {}
    public func synced(_ outcome: SyncOutcome, _ status: ProxyStatus, desired: NodeState) {}
    public func audited(_ status: AuditStatus) {}
    public func becameReadyStandby() {}
    public func tookOver() {}
}
