public import Kubernetes
public import Model

/// A Node of which only the name and the IP addresses are kept, for the comparison with addresses that Services ask for.
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
