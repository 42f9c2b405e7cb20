public import Kubernetes
public import Model

/// An object of the API that can be followed.
public protocol Reflected: APIObject {
    /// What tells the rest of the program about it; nil where nobody wants to know.
    static func change(_ name: NamespacedName, _ object: Self?) -> ClusterChange?
}

extension Service: Reflected {
    public static func change(_ name: NamespacedName, _ object: Service?) -> ClusterChange? { .service(name, object) }
}

extension EndpointSlice: Reflected {
    public static func change(_ name: NamespacedName, _ object: EndpointSlice?) -> ClusterChange? { .endpointSlice(name, object) }
}

extension Node: Reflected {
    public static func change(_ name: NamespacedName, _ object: Node?) -> ClusterChange? { .node(name.name, object) }
}

extension ServiceCIDR: Reflected {
    public static func change(_ name: NamespacedName, _ object: ServiceCIDR?) -> ClusterChange? { nil }
}
