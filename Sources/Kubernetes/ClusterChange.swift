public import Model

/// What happened to one object of the cluster; nil in place of the object means that it is gone.
public enum ClusterChange: Hashable, Sendable {
    case service(NamespacedName, Service?)
    case endpointSlice(NamespacedName, EndpointSlice?)
    case node(String, Node?)
    /// How much is known of the Nodes besides this one.
    case otherNodes(OtherNodes)

    /// The object that a change is about.
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
