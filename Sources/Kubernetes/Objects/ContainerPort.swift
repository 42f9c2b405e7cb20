public import Model

/// A port that a container announces (`Pod.spec.containers[].ports[]`).
public struct ContainerPort: Hashable, Sendable {
    /// `name`; empty where it has none.
    public var name: String
    /// `containerPort`
    public var containerPort: UInt16
    /// `protocol`
    public var transport: Transport

    public init(name: String = "", containerPort: UInt16, transport: Transport = .tcp) {
        self.name = name
        self.containerPort = containerPort
        self.transport = transport
    }
}

extension ContainerPort: Decodable {
    private enum CodingKeys: String, CodingKey {
        case name, containerPort, `protocol`
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            name: try fields.value(.name, default: ""), containerPort: try fields.port(.containerPort) ?? 0,
            transport: try fields.choice(.protocol, default: .tcp))
    }
}
