public import Model

/// A port of a Service (`Service.spec.ports[]`).
public struct ServicePort: Hashable, Sendable {
    /// `name`; empty where the only port has none.
    public var name: String
    /// `protocol`
    public var transport: Transport
    /// `port`
    public var port: UInt16
    /// `targetPort`; nil means `port`.
    public var targetPort: IntOrString?
    /// `nodePort`; 0 where there is none.
    public var nodePort: UInt16

    public init(name: String = "", transport: Transport = .tcp, port: UInt16, targetPort: IntOrString? = nil, nodePort: UInt16 = 0) {
        self.name = name
        self.transport = transport
        self.port = port
        self.targetPort = targetPort
        self.nodePort = nodePort
    }
}

extension ServicePort: Decodable {
    private enum CodingKeys: String, CodingKey {
        case name, `protocol`, port, targetPort, nodePort
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            name: try fields.value(.name, default: ""),
            transport: try fields.choice(.protocol, default: .tcp),
            port: try fields.port(.port) ?? 0,
            targetPort: try fields.decodeIfPresent(IntOrString.self, forKey: .targetPort),
            nodePort: try fields.port(.nodePort) ?? 0)
        // The API takes 0 and "" for "not given".
        if targetPort == .number(0) || targetPort == .name("") { targetPort = nil }
    }
}
