public import Kubernetes
public import Model

extension Node {
    /// Decodes `core/v1` Node.
    public static func read(_ object: ProtobufObject) throws(WireError) -> Versioned<Node> {
        let message: ProtoNode = try object.message()
        var node = Node(
            metadata: try ObjectMeta(message.metadata), podCIDRs: message.spec.podCidrs,
            taints: message.spec.taints.map { Taint(key: $0.key, effect: $0.effect) },
            addresses: message.status.addresses.map { NodeAddress(type: $0.type, address: $0.address) })
        if node.podCIDRs.isEmpty, !message.spec.podCidr.isEmpty { node.podCIDRs = [message.spec.podCidr] }
        return Versioned(object: node, resourceVersion: message.metadata.resourceVersion)
    }
}

/// A Node reduced to its name and IP addresses, for the check against addresses of Services.
public struct OtherNode: Hashable, Sendable {
    public private(set) var node: Node

    init(_ node: Node) {
        self.node = Node(
            metadata: ObjectMeta(name: node.metadata.name), addresses: node.addresses.filter { IPAddress($0.address) != nil })
    }
}

extension OtherNode: Decodable {
    public init(from decoder: any Decoder) throws { self.init(try Node(from: decoder)) }
}

extension OtherNode: APIObject {
    public static let resource = Node.resource
    public static let kind = Node.kind
    public var namespacedName: NamespacedName { node.namespacedName }
    public mutating func narrow() {}

    public static func read(_ object: ProtobufObject) throws(WireError) -> Versioned<OtherNode> {
        let read = try Node.read(object)
        return Versioned(object: OtherNode(read.object), resourceVersion: read.resourceVersion)
    }
}
