public import Kubernetes

extension Node {
    /// Reads `core/v1` Node.
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
