public import Model

/// The cluster as this node sees it, and the Services that changed since the last sync.
///
/// The cost of a change depends on its size, not on the number of objects.
public struct ClusterState: Sendable {
    /// Without the content of selectors and `ipFamilyPolicy`, which a node proxy does not need.
    public private(set) var services: [NamespacedName: Service] = [:]
    /// The slices of each Service that has any, whether or not the Service itself exists.
    public private(set) var slices: [NamespacedName: ServiceSlices] = [:]
    public private(set) var nodes: [String: Node] = [:]
    /// Whether `nodes` contains all Nodes whose addresses matter.
    public private(set) var otherNodes = OtherNodes.known

    private var dirtyServices: Set<NamespacedName> = []

    /// The name of the Service of each slice; both have the same namespace.
    private var serviceOfSlice: [NamespacedName: String] = [:]

    private var strings = SharedStrings()

    public init() {}

    /// Returns a slice by its own name; nil if it does not exist or belongs to no Service.
    public func slice(_ name: NamespacedName) -> EndpointSlice? { service(ofSlice: name).flatMap { slices[$0]?[name] } }

    private func service(ofSlice slice: NamespacedName) -> NamespacedName? {
        serviceOfSlice[slice].map { NamespacedName(namespace: slice.namespace, name: $0) }
    }

    /// Applies a change; returns whether it made a difference.
    @discardableResult
    public mutating func apply(_ change: ClusterChange) -> Bool {
        switch change {
        case .service(let name, let service): apply(name, service)
        case .endpointSlice(let name, let slice): apply(name, slice)
        case .node(let name, let node): apply(name, node)
        case .otherNodes(let otherNodes): apply(otherNodes)
        }
    }

    /// Returns the Services that changed, or whose slices changed, since the last call.
    public mutating func popDirtyServices() -> Set<NamespacedName> {
        defer { dirtyServices = [] }
        return dirtyServices
    }

    private mutating func apply(_ name: NamespacedName, _ service: Service?) -> Bool {
        var kept = service
        kept?.dropUnused()
        guard services[name] != kept else { return false }
        services[name] = kept
        dirtyServices.insert(name)
        return true
    }

    private mutating func apply(_ name: NamespacedName, _ slice: EndpointSlice?) -> Bool {
        let before = service(ofSlice: name)
        let after = slice?.serviceName.map(shared)
        let known = before.flatMap { slices[$0]?[name] }
        // A slice that belongs to no Service has no effect and is not kept.
        var kept = after == nil ? nil : slice
        guard known != kept else { return false }
        kept?.shareStrings(with: known, &strings)
        if let before {
            slices[before]?[name] = nil
            if slices[before]?.isEmpty == true { slices[before] = nil }
            dirtyServices.insert(before)
        }
        serviceOfSlice[name] = after?.name
        if let after {
            slices[after, default: ServiceSlices()][name] = kept
            dirtyServices.insert(after)
        }
        return true
    }

    /// The same name with the strings of the Service or of its other slices.
    private func shared(_ service: NamespacedName) -> NamespacedName {
        if let index = services.index(forKey: service) { return services[index].key }
        return slices.index(forKey: service).map { slices[$0].key } ?? service
    }

    private mutating func apply(_ otherNodes: OtherNodes) -> Bool {
        guard self.otherNodes != otherNodes else { return false }
        self.otherNodes = otherNodes
        return true
    }

    private mutating func apply(_ name: String, _ node: Node?) -> Bool {
        guard nodes[name] != node else { return false }
        nodes[name] = node
        return true
    }
}

/// A change of one object of the cluster; nil in place of the object means that it was deleted.
public enum ClusterChange: Hashable, Sendable {
    case service(NamespacedName, Service?)
    case endpointSlice(NamespacedName, EndpointSlice?)
    case node(String, Node?)
    /// How much is known of the Nodes other than this one.
    case otherNodes(OtherNodes)

    /// The object that changed.
    public enum Key: Hashable, Sendable {
        case service(NamespacedName)
        case endpointSlice(NamespacedName)
        case node(String)
        case otherNodes
    }

    public var key: Key {
        switch self {
        case .service(let name, _): .service(name)
        case .endpointSlice(let name, _): .endpointSlice(name)
        case .node(let name, _): .node(name)
        case .otherNodes: .otherNodes
        }
    }
}

/// How much is known of the Nodes other than this one, whose addresses no Service may use.
public enum OtherNodes: Hashable, Sendable {
    /// All Nodes that are needed are known.
    case known
    /// The Nodes are being listed; until then, no Service gets an address that may be a Node's.
    case pending
    /// The Nodes could not be listed in time; until they are, Services are served without the check.
    case unavailable
}

extension Service {
    /// Whether the Service has addresses that only this program's check can keep from being a Node's: external IPs, and load balancer IPs
    /// in VIP mode.
    ///
    /// - Parameter allowsExternalIP: whether an external IP may be served.
    public func hasExternalVIPs(allowing allowsExternalIP: (IPAddress) -> Bool) -> Bool {
        guard type != .externalName, !isHeadless else { return false }
        return externalIPs.contains { IPAddress($0).map(allowsExternalIP) ?? false }
            || loadBalancerIngress.contains { $0.isVIP && IPAddress($0.ip) != nil }
    }
}
