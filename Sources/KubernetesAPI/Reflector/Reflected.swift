public import Kubernetes
public import Model

/// An object of the API that can be followed.
public protocol Reflected: APIObject {
    /// The change that the rest of the program gets; nil in place of the object means that it is gone.
    static func change(_ name: NamespacedName, _ object: Self?) -> ClusterChange

    /// What has to differ for the object to be news: by default its resource version.
    static func revision(_ object: Versioned<Self>) -> String
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

extension Reflected {
    public static func revision(_ object: Versioned<Self>) -> String { object.resourceVersion }
}

extension OtherNode: Reflected {
    /// The kubelet updates the status of its Node all the time, and its addresses hardly ever.
    public static func revision(_ object: Versioned<OtherNode>) -> String {
        "addresses " + object.object.node.addresses.map(\.address).joined(separator: " ")
    }

    public static func change(_ name: NamespacedName, _ object: OtherNode?) -> ClusterChange { .node(name.name, object?.node) }
}

extension Node: Reflected {
    public static func change(_ name: NamespacedName, _ object: Node?) -> ClusterChange { .node(name.name, object) }
}
