public import Kubernetes
public import Model

/// A kind of object that is listed and watched: Service, EndpointSlice or Node.
public protocol APIObject: Hashable, Sendable, Decodable {
    /// The resource of the kind in the API.
    static var resource: APIResource { get }

    /// `kind`
    static var kind: String { get }

    /// The identity of the object within its kind; without a namespace for cluster-scoped kinds.
    var namespacedName: NamespacedName { get }

    /// Drops fields that were decoded from JSON and are not used.
    mutating func narrow()

    /// Decodes the protobuf form.
    static func read(_ object: ProtobufObject) throws(WireError) -> Versioned<Self>
}

extension Service: APIObject {
    public static let resource = APIResource(version: "v1", plural: "services", namespaced: true)
    public static let kind = "Service"
    public var namespacedName: NamespacedName { metadata.namespacedName }
    /// Keeps the labels, by which users select Services, and the uid, which Events need.
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

/// The resource of a kind of object in the API.
public struct APIResource: Hashable, Sendable {
    /// `discovery.k8s.io`; empty for the core group.
    public var group: String
    /// `v1`
    public var version: String
    /// The plural of the kind in lower case, as in paths: `endpointslices`.
    public var plural: String
    /// Whether its objects are namespaced.
    public var namespaced: Bool

    public init(group: String = "", version: String, plural: String, namespaced: Bool) {
        self.group = group
        self.version = version
        self.plural = plural
        self.namespaced = namespaced
    }

    /// The value of `apiVersion`: `v1`, `discovery.k8s.io/v1`.
    public var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }

    /// The path of a list or watch over all namespaces: `/api/v1/services`, `/apis/discovery.k8s.io/v1/endpointslices`.
    public var listPath: String { group.isEmpty ? "/api/\(version)/\(plural)" : "/apis/\(group)/\(version)/\(plural)" }
}

/// An object and its resource version.
public struct Versioned<Object: Sendable>: Sendable {
    public var object: Object
    /// `metadata.resourceVersion`: opaque to clients.
    public var resourceVersion: String

    public init(object: Object, resourceVersion: String) {
        self.object = object
        self.resourceVersion = resourceVersion
    }
}

extension Versioned: Equatable where Object: Equatable {}
extension Versioned: Hashable where Object: Hashable {}

/// A list from the API server, or one page of it.
public struct ObjectList<Object: Sendable>: Sendable {
    /// `items`, those that could be decoded.
    public var items: [Versioned<Object>]
    /// `metadata.resourceVersion`: the version from which a watch continues.
    public var resourceVersion: String
    /// `metadata.continue`: the token of the next page; nil on the last one.
    public var continueToken: String?
    /// The items that failed to decode.
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
