public import Kubernetes
public import Model
public import Translation

/// Hears what the proxy does, for those who ask it: health checks, metrics. Nothing of it may wait or fail.
public protocol ProxyObserver: Sendable {
    /// Objects changed, and a sync will follow.
    ///
    /// - Parameter node: this node's Node object, as far as it is known.
    func changed(_ changes: [ClusterChange], node: Node?)

    /// A sync is asked for, whether objects changed or not.
    func queued()

    /// A sync is over.
    ///
    /// - Parameter isLook: it only looked for something to do, and found nothing.
    func synced(_ outcome: Synchronizer.Outcome, _ standing: Standing, isLook: Bool)
}

/// Nobody asks.
public struct NoObserver: ProxyObserver {
    public init() {}

    public func changed(_ changes: [ClusterChange], node: Node?) {}
    public func queued() {}
    public func synced(_ outcome: Synchronizer.Outcome, _ standing: Standing, isLook: Bool) {}
}

/// How things stand after a sync.
public struct Standing: Sendable {
    /// Those that this node serves.
    public var families: Set<IPFamily>
    public var serviceCount = 0
    /// This node's Node object, as far as it is known.
    public var node: Node?
    public var healthChecks: [NamespacedName: HealthCheckNodePort] = [:]
    public var healthCheckAddresses: [IPFamily: HealthCheckAddresses] = [:]
    /// How many Services ask for endpoints of this node in vain.
    public var noLocalEndpoints: [NoLocalEndpoints: Int] = [:]
    /// What Services ask for or their endpoints bring that is not served.
    public var refusedClaims: [NamespacedName: Set<Refusal>] = [:]
    /// What Services ask for that an older one has.
    public var conflicts: [NamespacedName: Set<VirtualServer.Identity>] = [:]
    /// What Services and their slices say in vain.
    public var invalidAnnotations: [NamespacedName: Set<InvalidAnnotation>] = [:]
    public var drainingServers = 0
    /// Since the program began.
    public var droppedPackets: [DroppedPackets: UInt64] = [:]

    public init(families: Set<IPFamily>) { self.families = families }
}
