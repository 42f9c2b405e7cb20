public import Kubernetes
public import Model

/// A kind of object that is listed and watched: Service, EndpointSlice and Node.
public protocol APIObject: Hashable, Sendable, Decodable {
    /// Where the API serves it.
    static var resource: APIResource { get }

    /// `kind`
    static var kind: String { get }

    /// What tells it from the others of its kind; without a namespace for kinds that have none.
    var namespacedName: NamespacedName { get }

    /// Lets go of what came along when it was read from JSON and is not used.
    mutating func narrow()

    /// Reads the protobuf form.
    static func read(_ object: ProtobufObject) throws(WireError) -> Versioned<Self>
}

extension Service: APIObject {
    public static let resource = APIResource(version: "v1", plural: "services", namespaced: true)
    public static let kind = "Service"
    public var namespacedName: NamespacedName { metadata.namespacedName }
    /// People name Services by any label, and Events by the uid.
    public mutating func narrow() {
        let labels = Dictionary(metadata.labels.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
        metadata.labels = Labels(ObjectMeta.keptOfService(labels))
    }
}

extension EndpointSlice: APIObject {
    public static let resource = APIResource(group: "discovery.k8s.io", version: "v1", plural: "endpointslices", namespaced: true)
    public static let kind = "EndpointSlice"
    public var namespacedName: NamespacedName { metadata.namespacedName }
    public mutating func narrow() { metadata.narrow() }
}

extension Node: APIObject {
    public static let resource = APIResource(version: "v1", plural: "nodes", namespaced: false)
    public static let kind = "Node"
    public var namespacedName: NamespacedName { metadata.namespacedName }
    public mutating func narrow() { metadata.narrow() }
}
