import Model

/// An object that a manifest describes.
enum ManifestObject: Hashable, Sendable {
    case service(Service)
    case endpointSlice(EndpointSlice)
    case node(Node)
    case pod(Pod)

    /// The kinds that are read; all others are passed over.
    enum Kind: String, Hashable, Sendable, CaseIterable {
        case service = "Service"
        case endpointSlice = "EndpointSlice"
        case node = "Node"
        case pod = "Pod"

        /// The `apiVersion` in which the kind is read.
        var apiVersion: String { self == .endpointSlice ? "discovery.k8s.io/v1" : "v1" }
    }

    /// What makes an object itself, across files.
    struct Key: Hashable, Sendable, Comparable {
        var kind: Kind
        var name: NamespacedName

        static func < (lhs: Key, rhs: Key) -> Bool {
            lhs.kind == rhs.kind ? lhs.name < rhs.name : lhs.kind.rawValue < rhs.kind.rawValue
        }
    }

    var kind: Kind {
        switch self {
        case .service: .service
        case .endpointSlice: .endpointSlice
        case .node: .node
        case .pod: .pod
        }
    }

    var metadata: ObjectMeta {
        switch self {
        case .service(let service): service.metadata
        case .endpointSlice(let slice): slice.metadata
        case .node(let node): node.metadata
        case .pod(let pod): pod.metadata
        }
    }

    var key: Key { Key(kind: kind, name: metadata.namespacedName) }

    /// An object of a manifest with the namespace it has where it names none, as kubectl puts it.
    init(_ kind: Kind, from decoder: any Decoder) throws {
        switch kind {
        case .service:
            var service = try Service(from: decoder)
            service.metadata.fillNamespace()
            self = .service(service)
        case .endpointSlice:
            var slice = try EndpointSlice(from: decoder)
            slice.metadata.fillNamespace()
            self = .endpointSlice(slice)
        case .node:
            var node = try Node(from: decoder)
            node.metadata.namespace = ""
            self = .node(node)
        case .pod:
            var pod = try Pod(from: decoder)
            pod.metadata.fillNamespace()
            self = .pod(pod)
        }
    }
}

extension ObjectMeta {
    fileprivate mutating func fillNamespace() {
        if namespace.isEmpty { namespace = "default" }
    }
}
