public import Model

/// A part of the endpoints of a Service (`discovery.k8s.io/v1` EndpointSlice).
public struct EndpointSlice: Hashable, Sendable {
    public var metadata: ObjectMeta
    /// `addressType`
    public var addressType: AddressType
    /// `endpoints`
    public var endpoints: [Endpoint]
    /// `ports`
    public var ports: [EndpointPort]

    public init(metadata: ObjectMeta, addressType: AddressType, endpoints: [Endpoint] = [], ports: [EndpointPort] = []) {
        self.metadata = metadata
        self.addressType = addressType
        self.endpoints = endpoints
        self.ports = ports
    }

    /// The label that says which Service of the same namespace a slice belongs to.
    public static let serviceNameLabel = "kubernetes.io/service-name"

    /// The Service that the slice belongs to; nil where the label is missing or empty, and then the slice serves nothing.
    public var serviceName: NamespacedName? {
        guard let name = metadata.labels[EndpointSlice.serviceNameLabel], !name.isEmpty else { return nil }
        return NamespacedName(namespace: metadata.namespace, name: name)
    }
}

extension EndpointSlice: Decodable {
    private enum CodingKeys: String, CodingKey {
        case metadata, addressType, endpoints, ports
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        guard fields.contains(.addressType) else {
            throw DecodingError.dataCorruptedError(forKey: .addressType, in: fields, debugDescription: "is required: IPv4, IPv6 or FQDN")
        }
        self.init(
            metadata: try fields.value(.metadata, default: ObjectMeta(name: "")),
            addressType: try fields.choice(.addressType, default: .ipv4),
            endpoints: try fields.list(.endpoints),
            ports: try fields.list(.ports))
    }
}
