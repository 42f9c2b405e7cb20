public import Kubernetes
internal import Model

extension EndpointSlice {
    /// Decodes `discovery.k8s.io/v1` EndpointSlice.
    public static func read(_ object: ProtobufObject) throws(WireError) -> Versioned<EndpointSlice> {
        let message: ProtoEndpointSlice = try object.message()
        guard message.hasAddressType else { throw WireError(field: "addressType", message: "is required: IPv4, IPv6 or FQDN") }
        let slice = EndpointSlice(
            metadata: try ObjectMeta(message.metadata),
            addressType: try ProtobufField.choice(message.addressType, "addressType", default: .ipv4),
            endpoints: message.endpoints.map(Endpoint.init),
            ports: try ProtobufField.each(message.ports, "ports", EndpointPort.init))
        return Versioned(object: slice, resourceVersion: message.metadata.resourceVersion)
    }
}

extension Endpoint {
    fileprivate init(_ message: ProtoEndpoint) {
        self.init(addresses: Endpoint.addresses(message.addresses))
        if message.hasConditions {
            let conditions = message.conditions
            ready = conditions.hasReady ? conditions.ready : nil
            serving = conditions.hasServing ? conditions.serving : nil
            terminating = conditions.hasTerminating ? conditions.terminating : nil
        }
        nodeName = message.hasNodeName ? message.nodeName : nil
        if message.hasTargetRef {
            let target = message.targetRef
            let isPod = target.kind.isEmpty || target.kind == "Pod"
            pod = isPod && !target.name.isEmpty ? target.name : nil
        }
        if message.hasHints {
            zoneHints = message.hints.forZones.map(\.name)
            nodeHints = message.hints.forNodes.map(\.name)
        }
    }
}

extension EndpointPort {
    fileprivate init(_ message: ProtoEndpointPort) throws(WireError) {
        self.init(
            name: message.hasName ? message.name : nil,
            port: message.hasPort ? try ProtobufField.port(message.port, "port") : nil,
            transport: try ProtobufField.choice(message.protocol, "protocol", default: .tcp))
    }
}
