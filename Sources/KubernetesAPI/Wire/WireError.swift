internal import Kubernetes
internal import Text

/// What is malformed in the bytes from the API server, and where.
public struct WireError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The field: `spec.ports[0].port`; empty for the whole.
    public var field: String
    /// What is wrong, or what has to stand there.
    public var message: String

    public init(field: String = "", message: String) {
        self.field = field
        self.message = message
    }

    /// One line: `spec.ports[0].port: must be a port, 1 to 65535`.
    public var description: String {
        SourceProblem(field: field.isEmpty ? nil : field, message: message).description
    }

    /// The same one level further out.
    func inside(_ outer: String) -> WireError {
        let separator = field.isEmpty || field.hasPrefix("[") ? "" : "."
        return WireError(field: outer + separator + field, message: message)
    }

    /// Text from the other side, safe to print: one line, without control characters.
    static func printable(_ text: String) -> String { SourceProblem(message: text).description }
}

extension WireError {
    /// What a `Decoder` objected to, as seen from a point within what it decodes.
    init(_ error: any Error, below outer: [any CodingKey] = []) {
        if let error = error as? WireError {
            self = error
            return
        }
        guard let error = error as? DecodingError else {
            self.init(message: "\(error)")
            return
        }
        let objection = DecodingObjection(error, words: .json)
        self.init(field: objection.path.dropFirst(outer.count).fieldPath, message: objection.message)
    }
}
