public import Model

/// The cluster as this node sees it, and what of it has changed since someone last looked.
///
/// A change costs as much as the change is big, however many objects there are.
public struct ClusterState: Sendable {
    public private(set) var services: [NamespacedName: Service] = [:]
    /// The slices of each Service that has any, whether the Service itself is there or not.
    public private(set) var slices: [NamespacedName: [NamespacedName: EndpointSlice]] = [:]
    public private(set) var nodes: [String: Node] = [:]
    /// Whether `nodes` has all whose addresses matter.
    public private(set) var otherNodes = OtherNodes.known

    private var dirtyServices: Set<NamespacedName> = []

    private var serviceOfSlice: [NamespacedName: NamespacedName] = [:]

    public init() {}

    /// A slice by its own name; nil where it is not there or belongs to no Service.
    public func slice(_ name: NamespacedName) -> EndpointSlice? { serviceOfSlice[name].flatMap { slices[$0]?[name] } }

    /// Takes a change over; returns whether it made a difference.
    @discardableResult
    public mutating func apply(_ change: ClusterChange) -> Bool {
        switch change {
        case .service(let name, let service): apply(name, service)
        case .endpointSlice(let name, let slice): apply(name, slice)
        case .node(let name, let node): apply(name, node)
        case .otherNodes(let otherNodes): apply(otherNodes)
        }
    }

    /// Services that changed, or whose slices did, since the last call.
    public mutating func takeDirtyServices() -> Set<NamespacedName> {
        defer { dirtyServices = [] }
        return dirtyServices
    }

    private mutating func apply(_ name: NamespacedName, _ service: Service?) -> Bool {
        guard services[name] != service else { return false }
        services[name] = service
        dirtyServices.insert(name)
        return true
    }

    private mutating func apply(_ name: NamespacedName, _ slice: EndpointSlice?) -> Bool {
        let before = serviceOfSlice[name]
        let after = slice?.serviceName
        // A slice that belongs to no Service serves nothing and is not kept.
        let kept = after == nil ? nil : slice
        guard before.flatMap({ slices[$0]?[name] }) != kept else { return false }
        if let before {
            slices[before]?[name] = nil
            if slices[before]?.isEmpty == true { slices[before] = nil }
            dirtyServices.insert(before)
        }
        serviceOfSlice[name] = after
        if let after {
            slices[after, default: [:]][name] = slice
            dirtyServices.insert(after)
        }
        return true
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
