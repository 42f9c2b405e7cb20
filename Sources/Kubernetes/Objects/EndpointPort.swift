public import Model

/// A port that the endpoints of a slice share (`EndpointSlice.ports[]`).
public struct EndpointPort: Hashable, Sendable {
    /// `name`: that of the Service port it serves.
    public var name: String?
    /// `port`
    public var port: UInt16?
    /// `protocol`
    public var transport: Transport

    public init(name: String? = nil, port: UInt16? = nil, transport: Transport = .tcp) {
        self.name = name
        self.port = port
        self.transport = transport
    }
}

extension EndpointPort: Decodable {
    private enum CodingKeys: String, CodingKey {
        case name, port, `protocol`
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            name: try fields.decodeIfPresent(String.self, forKey: .name), port: try fields.port(.port),
            transport: try fields.choice(.protocol, default: .tcp))
    }
}
