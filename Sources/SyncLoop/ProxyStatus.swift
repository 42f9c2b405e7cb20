public import Kubernetes
public import Model
public import Reconciler
public import Translation

/// How things are after a sync: what health checks, metrics, log lines and Events are made from.
public struct ProxyStatus: Sendable {
    /// Those that this node serves.
    public var families: Set<IPFamily>
    public var serviceCount = 0
    public var virtualServerCount = 0
    /// This node's Node object, as far as it is known.
    public var node: Node?
    public var healthChecks: [NamespacedName: HealthCheckNodePort] = [:]
    public var healthCheckAddresses: [IPFamily: HealthCheckAddresses] = [:]
    /// How many Services have no endpoint on this node, and need one.
    public var noLocalEndpoints: [NoLocalEndpoints: Int] = [:]
    /// What Services ask for or their endpoints bring that is not served.
    public var refusedClaims: [NamespacedName: Set<ServiceRefusal>] = [:]
    /// What Services ask for that an older one has.
    public var conflicts: [NamespacedName: Set<VirtualServer.Identity>] = [:]
    /// Annotations of Services and their slices that are ignored.
    public var invalidAnnotations: [NamespacedName: Set<InvalidAnnotation>] = [:]
    public var drainingServers = 0
    /// Since the program began.
    public var droppedPackets: [DroppedPackets: UInt64] = [:]

    /// What failed and is tried again, refusals included.
    public var failing: [Operation.Key: Retries.Entry] = [:]
    /// What cannot be read at the moment.
    public var unreadable: [ObservationFailure.Part: ObservationFailure] = [:]
    /// Families that lack rules which are desired, or whose rules are not known.
    public var familiesWithoutRules: Set<IPFamily> = []
    /// Services of which something is left to do.
    public var pendingServices: Set<NamespacedName> = []
    /// Whether the kernel holds what the cluster asks for, as far as it was observed.
    public var isInSync = false
    /// Objects that changed and wait for the next sync.
    public var pendingChanges = PendingChanges()

    public init(families: Set<IPFamily>) { self.families = families }

    /// Failures of operations that are not refusals.
    public var failures: some Sequence<Retries.Entry> { failing.values.lazy.filter { !$0.isRefusal } }
}

/// Objects that changed since changes were taken over.
public struct PendingChanges: Hashable, Sendable {
    public var services: Set<NamespacedName> = []
    public var slices: Set<NamespacedName> = []

    public init() {}

    mutating func note(_ change: ClusterChange) {
        switch change {
        case .service(let name, _): services.insert(name)
        case .endpointSlice(let name, _): slices.insert(name)
        case .node, .otherNodes: break
        }
    }
}

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
