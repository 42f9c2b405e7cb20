internal import Kubernetes
internal import Model

/// An object that a manifest describes.
enum ManifestObject: Hashable, Sendable {
    case service(Service)
    case endpointSlice(EndpointSlice)
    case endpoints(Endpoints)
    case node(Node)
    case pod(Pod)
    case serviceCIDR(ServiceCIDR)

    /// Identifies an object across files.
    struct Key: Hashable, Sendable, Comparable {
        var kind: ManifestKind
        var name: NamespacedName

        static func < (lhs: Key, rhs: Key) -> Bool {
            lhs.kind == rhs.kind ? lhs.name < rhs.name : lhs.kind.rawValue < rhs.kind.rawValue
        }
    }

    var kind: ManifestKind {
        switch self {
        case .service: .service
        case .endpointSlice: .endpointSlice
        case .endpoints: .endpoints
        case .node: .node
        case .pod: .pod
        case .serviceCIDR: .serviceCIDR
        }
    }

    var metadata: ObjectMeta {
        switch self {
        case .service(let service): service.metadata
        case .endpointSlice(let slice): slice.metadata
        case .endpoints(let endpoints): endpoints.metadata
        case .node(let node): node.metadata
        case .pod(let pod): pod.metadata
        case .serviceCIDR(let block): block.metadata
        }
    }

    var key: Key { Key(kind: kind, name: metadata.namespacedName) }

    /// Decodes an object of a manifest; without a namespace it gets `default`, as with kubectl.
    init(_ kind: ManifestKind, from decoder: any Decoder) throws {
        switch kind {
        case .service:
            var service = try Service(from: decoder)
            service.metadata.fillNamespace()
            self = .service(service)
        case .endpointSlice: self.init(try EndpointSlice(from: decoder))
        case .endpoints:
            var endpoints = try Endpoints(from: decoder)
            endpoints.metadata.fillNamespace()
            self = .endpoints(endpoints)
        case .node:
            var node = try Node(from: decoder)
            node.metadata.namespace = ""
            self = .node(node)
        case .pod:
            var pod = try Pod(from: decoder)
            pod.metadata.fillNamespace()
            self = .pod(pod)
        case .serviceCIDR:
            var block = try ServiceCIDR(from: decoder)
            block.metadata.namespace = ""
            self = .serviceCIDR(block)
        }
    }

    init(_ slice: EndpointSlice) {
        var slice = slice
        slice.metadata.fillNamespace()
        self = .endpointSlice(slice)
    }
}

extension ObjectMeta {
    fileprivate mutating func fillNamespace() {
        if namespace.isEmpty { namespace = "default" }
    }
}

/// Ranges of cluster IPs in addition to `--service-cluster-ip-range` (ServiceCIDR of `networking.k8s.io/v1`).
struct ServiceCIDR: Hashable, Sendable {
    var metadata: ObjectMeta
    /// `spec.cidrs`
    var cidrs: [String]
}

extension ServiceCIDR: Decodable {
    private enum CodingKeys: String, CodingKey { case metadata, spec }
    private enum SpecKeys: String, CodingKey { case cidrs }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            metadata: try fields.value(.metadata, default: ObjectMeta(name: "")),
            cidrs: try fields.nested(SpecKeys.self, .spec)?.list(.cidrs) ?? [])
    }
}

/// The kinds of objects that are read; all others are ignored.
enum ManifestKind: String, Hashable, Sendable, CaseIterable {
    case service = "Service"
    case endpointSlice = "EndpointSlice"
    case endpoints = "Endpoints"
    case node = "Node"
    case pod = "Pod"
    case serviceCIDR = "ServiceCIDR"

    /// The supported `apiVersion` of the kind.
    var apiVersion: String {
        switch self {
        case .endpointSlice: "discovery.k8s.io/v1"
        case .serviceCIDR: "networking.k8s.io/v1"
        case .service, .endpoints, .node, .pod: "v1"
        }
    }

    /// Whether the kind is namespaced.
    var isNamespaced: Bool { self != .node && self != .serviceCIDR }
}
