internal import Kubernetes

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
        let (path, message) = WireError.explain(error)
        self.init(field: WireError.text(of: path.dropFirst(outer.count)), message: message)
    }

    private static func explain(_ error: DecodingError) -> ([any CodingKey], String) {
        switch error {
        case .typeMismatch(let type, let context): (context.codingPath, "must be \(words(for: type))")
        case .valueNotFound(let type, let context): (context.codingPath, "must be \(words(for: type)), not null")
        case .keyNotFound(let key, let context): (context.codingPath + [key], "is required")
        case .dataCorrupted(let context):
            (context.codingPath, context.underlyingError.map { "\(context.debugDescription) \($0)" } ?? context.debugDescription)
        @unknown default: ([], "cannot be read: \(error)")
        }
    }

    private static func words(for type: Any.Type) -> String {
        switch type {
        case is String.Type: "text"
        case is Bool.Type: "true or false"
        case is any BinaryInteger.Type: "a whole number"
        default: "\(type)".hasPrefix("Array") ? "a list" : "an object"
        }
    }

    private static func text(of path: some Sequence<any CodingKey>) -> String {
        path.reduce(into: "") { text, key in
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += text.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
    }
}
