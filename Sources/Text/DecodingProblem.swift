/// A decoding error in the words of Kubernetes' own messages.
package struct DecodingProblem {
    /// The path of the value, from the top of the decoded document.
    package var path: [any CodingKey]
    /// The requirement: `must be a whole number`.
    package var message: String

    /// The words of a format for an absent value and for a mapping.
    package struct Words: Sendable {
        package var nothing: String
        package var mapping: String

        package static let json = Words(nothing: "null", mapping: "an object")
        package static let yaml = Words(nothing: "empty", mapping: "a mapping")
    }

    package init(_ error: DecodingError, words: Words) {
        switch error {
        case .typeMismatch(let type, let context):
            self.init(context.codingPath, "must be \(words.name(of: type))")
        case .valueNotFound(let type, let context):
            self.init(context.codingPath, "must be \(words.name(of: type)), not \(words.nothing)")
        case .keyNotFound(let key, let context):
            self.init(context.codingPath + [key], "is required")
        case .dataCorrupted(let context):
            let cause = context.underlyingError.map { " \($0)" } ?? ""
            self.init(context.codingPath, context.debugDescription + cause)
        @unknown default:
            self.init([], "failed to decode: \(error)")
        }
    }

    private init(_ path: [any CodingKey], _ message: String) {
        self.path = path
        self.message = message
    }
}

extension DecodingProblem.Words {
    fileprivate func name(of type: Any.Type) -> String {
        switch type {
        case is String.Type: "text"
        case is Bool.Type: "true or false"
        case is any BinaryInteger.Type: "a whole number"
        // Decoders use their own types for lists and mappings.
        default: "\(type)".hasPrefix("Array") ? "a list" : mapping
        }
    }
}

/// A key by text or index, for paths without `CodingKeys`.
package struct FieldKey: CodingKey {
    package let stringValue: String
    package let intValue: Int?

    package init(_ text: String) {
        stringValue = text
        intValue = nil
    }

    package init(index: Int) {
        stringValue = "\(index)"
        intValue = index
    }

    package init?(stringValue: String) { self.init(stringValue) }
    package init?(intValue: Int) { self.init(index: intValue) }
}

extension Sequence where Element == any CodingKey {
    /// The coding path in Kubernetes notation: `spec.ports[0].port`.
    package var fieldPath: String {
        reduce(into: "") { text, key in
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += text.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
    }
}
