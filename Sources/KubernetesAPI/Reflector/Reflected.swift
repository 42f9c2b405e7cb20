public import Kubernetes
public import Model

/// An object of the API that can be followed.
public protocol Reflected: APIObject {
    /// The change that the rest of the program gets; nil in place of the object means that it is gone.
    static func change(_ name: NamespacedName, _ object: Self?) -> ClusterChange
}

extension Service: Reflected {
    /// API servers before 1.31 cannot leave headless Services out, so they are left out here too.
    public static func change(_ name: NamespacedName, _ object: Service?) -> ClusterChange {
        .service(name, object?.isHeadless == true ? nil : object)
    }
}

extension EndpointSlice: Reflected {
    public static func change(_ name: NamespacedName, _ object: EndpointSlice?) -> ClusterChange { .endpointSlice(name, object) }
}

extension OtherNode: Reflected {
    public static func change(_ name: NamespacedName, _ object: OtherNode?) -> ClusterChange { .node(name.name, object?.node) }
}

extension Node: Reflected {
    public static func change(_ name: NamespacedName, _ object: Node?) -> ClusterChange { .node(name.name, object) }
}
