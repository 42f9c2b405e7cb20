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
        metadata.labels = Labels(ObjectMeta.relevantToService(labels))
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

/// Where the API serves a kind of object.
public struct APIResource: Hashable, Sendable {
    /// `discovery.k8s.io`; empty for the core group.
    public var group: String
    /// `v1`
    public var version: String
    /// The kind in the plural and in lower case, as it stands in paths: `endpointslices`.
    public var plural: String
    /// Whether its objects live in namespaces.
    public var namespaced: Bool

    public init(group: String = "", version: String, plural: String, namespaced: Bool) {
        self.group = group
        self.version = version
        self.plural = plural
        self.namespaced = namespaced
    }

    /// What stands in `apiVersion`: `v1`, `discovery.k8s.io/v1`.
    public var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }

    /// The path of a list or watch over all namespaces: `/api/v1/services`, `/apis/discovery.k8s.io/v1/endpointslices`.
    public var listPath: String { group.isEmpty ? "/api/\(version)/\(plural)" : "/apis/\(group)/\(version)/\(plural)" }
}

/// An object, and the version of the cluster's state in which it was last changed.
public struct Versioned<Object: Sendable>: Sendable {
    public var object: Object
    /// `metadata.resourceVersion`: opaque, for the server to read.
    public var resourceVersion: String

    public init(object: Object, resourceVersion: String) {
        self.object = object
        self.resourceVersion = resourceVersion
    }
}

extension Versioned: Equatable where Object: Equatable {}
extension Versioned: Hashable where Object: Hashable {}

/// What the API server answers to a list, or one page of it.
public struct ObjectList<Object: Sendable>: Sendable {
    /// `items`, those that could be read.
    public var items: [Versioned<Object>]
    /// `metadata.resourceVersion`: from where a watch goes on.
    public var resourceVersion: String
    /// `metadata.continue`: what asks for the next page; nil on the last one.
    public var continueToken: String?
    /// The items that could not be read.
    public var problems: [WireProblem]

    public init(items: [Versioned<Object>], resourceVersion: String, continueToken: String? = nil, problems: [WireProblem] = []) {
        self.items = items
        self.resourceVersion = resourceVersion
        self.continueToken = continueToken
        self.problems = problems
    }
}

extension ObjectList: Equatable where Object: Equatable {}
extension ObjectList: Hashable where Object: Hashable {}
