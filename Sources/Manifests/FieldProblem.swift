internal import Kubernetes
internal import Text
internal import YAML

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
        let objection = DecodingObjection(error, words: .yaml)
        let path = objection.path.dropFirst(decoder.codingPath.count)
        self.init(path.fieldPath, FieldProblem.value(at: path, in: decoder), objection.message)
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
        if let text = YAMLDocument.writtenText(at: decoder) { return text }
        // Each attempt fails where the value is of another type, which is the question asked here.
        guard let value = try? decoder.singleValueContainer(), !value.decodeNil() else { return nil }
        if let text = try? value.decode(String.self) { return text }
        if let number = try? value.decode(Int.self) { return "\(number)" }
        if let number = try? value.decode(Double.self) { return "\(number)" }
        if let flag = try? value.decode(Bool.self) { return "\(flag)" }
        return nil
    }
}
