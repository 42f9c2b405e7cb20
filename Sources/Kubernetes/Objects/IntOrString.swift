/// A port by number or by the name that a container gives it (`Service.spec.ports[].targetPort`).
public enum IntOrString: Hashable, Sendable, CustomStringConvertible {
    case number(UInt16)
    case name(String)

    public var description: String {
        switch self {
        case .number(let number): "\(number)"
        case .name(let name): name
        }
    }
}

extension IntOrString: Decodable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let number: Int
        do {
            number = try container.decode(Int.self)
        } catch {
            // Not a number: the other of the two forms, whose own error is the one worth telling.
            self = .name(try container.decode(String.self))
            return
        }
        guard let port = UInt16(exactly: number) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "must be a port, 1 to 65535, or the name of one")
        }
        self = .number(port)
    }
}
