/// What is wrong with a field of an object.
struct FieldProblem: Hashable, Sendable, Error {
    /// `spec.ports[0].port`; empty for the object as a whole.
    var field: String
    var value: String?
    var message: String

    init(_ field: String, _ value: String? = nil, _ message: String) {
        self.field = field
        self.value = value
        self.message = message
    }

    /// What a decoder objected to, with the text that stands there.
    init(_ error: DecodingError, in decoder: any Decoder) {
        let (context, message) = FieldProblem.explain(error)
        let path = Array(context.codingPath.dropFirst(decoder.codingPath.count))
        self.init(FieldProblem.text(of: path), FieldProblem.value(at: path[...], in: decoder), message)
    }

    /// A coding path as Kubernetes writes it: `spec.ports[0].port`.
    static func text(of path: [any CodingKey]) -> String {
        path.reduce(into: "") { text, key in
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += text.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
    }

    private static func explain(_ error: DecodingError) -> (DecodingError.Context, String) {
        switch error {
        case .typeMismatch(let type, let context): (context, "must be \(article(type))")
        case .valueNotFound(let type, let context): (context, "must be \(article(type)), not empty")
        case .keyNotFound(let key, let context):
            (
                .init(codingPath: context.codingPath + [key], debugDescription: context.debugDescription, underlyingError: nil),
                "is required"
            )
        case .dataCorrupted(let context): (context, context.debugDescription)
        @unknown default: (.init(codingPath: [], debugDescription: "\(error)"), "cannot be read: \(error)")
        }
    }

    private static func article(_ type: Any.Type) -> String {
        switch type {
        case is String.Type: "text"
        case is Bool.Type: "true or false"
        case is any BinaryInteger.Type: "a whole number"
        default: article(named: "\(type)")
        }
    }

    /// The decoders' own words for shapes, which are no types of ours.
    private static func article(named type: String) -> String {
        type.hasPrefix("Array") ? "a list" : "a mapping"
    }

    /// The text at a path, found by walking down again: it is needed only when something is wrong.
    private static func value(at path: ArraySlice<any CodingKey>, in decoder: any Decoder) -> String? {
        guard let key = path.first else { return scalar(in: decoder) }
        do {
            if let index = key.intValue {
                var list = try decoder.unkeyedContainer()
                while list.currentIndex < index, !list.isAtEnd { _ = try list.superDecoder() }
                return list.isAtEnd ? nil : value(at: path.dropFirst(), in: try list.superDecoder())
            }
            let fields = try decoder.container(keyedBy: FieldKey.self)
            let field = FieldKey(key.stringValue)
            return fields.contains(field) ? value(at: path.dropFirst(), in: try fields.superDecoder(forKey: field)) : nil
        } catch {
            // The structure ends above the path: there is no value to show, and the problem is told without one.
            return nil
        }
    }

    private static func scalar(in decoder: any Decoder) -> String? {
        if let yaml = decoder as? YAMLNodeDecoder { return yaml.writtenText }
        // Each attempt fails where the value is of another type, which is the question asked here.
        guard let value = try? decoder.singleValueContainer(), !value.decodeNil() else { return nil }
        if let text = try? value.decode(String.self) { return text }
        if let number = try? value.decode(Int.self) { return "\(number)" }
        if let number = try? value.decode(Double.self) { return "\(number)" }
        if let flag = try? value.decode(Bool.self) { return "\(flag)" }
        return nil
    }
}
