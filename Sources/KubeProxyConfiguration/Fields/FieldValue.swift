internal import Kubernetes
internal import YAML

/// A value of a field.
protocol FieldValue {
    /// Returns nil for an invalid value, which it adds to the report.
    static func read(_ value: YAMLValue, at field: String, _ report: inout DecodingReport) -> Self?
    var written: YAMLValue { get }
    /// Whether `omitempty` of Go omits the value.
    var isEmpty: Bool { get }
}

extension FieldObject {
    static func read(_ value: YAMLValue, at field: String, _ report: inout DecodingReport) -> Self? {
        guard case .mapping(let entries) = value else {
            report.refuse(field, value, "must be a mapping")
            return nil
        }
        var object = Self()
        var reader = FieldReader(entries, at: field, report)
        object.visit(&reader)
        report = reader.finish()
        return object
    }

    var written: YAMLValue {
        var copy = self
        var writer = FieldWriter()
        copy.visit(&writer)
        return .mapping(writer.entries)
    }

    var isEmpty: Bool { false }
}

extension String: FieldValue {
    static func read(_ value: YAMLValue, at field: String, _ report: inout DecodingReport) -> String? {
        if case .text(let text) = value { return text }
        report.refuse(field, value, "must be text: put it in quotes")
        return nil
    }

    var written: YAMLValue { .text(self) }
}

extension Bool: FieldValue {
    static func read(_ value: YAMLValue, at field: String, _ report: inout DecodingReport) -> Bool? {
        if case .boolean(let value) = value { return value }
        report.refuse(field, value, "must be true or false")
        return nil
    }

    var written: YAMLValue { .boolean(self) }
    var isEmpty: Bool { !self }
}

/// An integer; values outside of the range of the type are invalid.
protocol WholeNumberField: FieldValue, FixedWidthInteger {}

extension WholeNumberField {
    static func read(_ value: YAMLValue, at field: String, _ report: inout DecodingReport) -> Self? {
        if case .number(let digits) = value, let number = YAMLNumber(digits)?.whole(Self.self) { return number }
        report.refuse(field, value, "must be a whole number from \(Self.min) to \(Self.max)")
        return nil
    }

    var written: YAMLValue { .number("\(self)") }
    var isEmpty: Bool { self == 0 }
}

extension Int32: WholeNumberField {}
extension UInt32: WholeNumberField {}

extension Float: FieldValue {
    static func read(_ value: YAMLValue, at field: String, _ report: inout DecodingReport) -> Float? {
        if case .number(let digits) = value, let number = YAMLNumber(digits).map({ Float($0.double) }), number.isFinite { return number }
        report.refuse(field, value, "must be a number")
        return nil
    }

    var written: YAMLValue { .number(magnitude < 1e7 && rounded() == self ? "\(Int(self))" : "\(self)") }
    var isEmpty: Bool { self == 0 }
}

extension GoDuration: FieldValue {
    static func read(_ value: YAMLValue, at field: String, _ report: inout DecodingReport) -> GoDuration? {
        if case .text(let text) = value, let duration = GoDuration(text) { return duration }
        report.refuse(field, value, "must be a duration with its unit, such as 30s, 1m30s or 500ms")
        return nil
    }

    var written: YAMLValue { .text(description) }
    var isEmpty: Bool { self == .zero }
}

extension Optional: FieldValue where Wrapped: FieldValue {
    static func read(_ value: YAMLValue, at field: String, _ report: inout DecodingReport) -> Wrapped?? {
        Wrapped.read(value, at: field, &report).map(Optional.some)
    }

    var written: YAMLValue { self?.written ?? .null }
    var isEmpty: Bool { self == nil }
}

extension Array: FieldValue where Element: FieldValue {
    static func read(_ value: YAMLValue, at field: String, _ report: inout DecodingReport) -> [Element]? {
        guard case .list(let values) = value else {
            report.refuse(field, value, "must be a list")
            return nil
        }
        return values.enumerated().compactMap { Element.read($0.element, at: "\(field)[\($0.offset)]", &report) }
    }

    var written: YAMLValue { .list(map(\.written)) }
}

extension Dictionary: FieldValue where Key == String, Value: FieldValue {
    static func read(_ value: YAMLValue, at field: String, _ report: inout DecodingReport) -> [String: Value]? {
        guard case .mapping(let entries) = value else {
            report.refuse(field, value, "must be a mapping")
            return nil
        }
        var result: [String: Value] = [:]
        for entry in entries {
            if result[entry.key] != nil { report.repeated.append(.init(key: entry.key, line: entry.line)) }
            if let value = Value.read(entry.value, at: "\(field).\(entry.key)", &report) { result[entry.key] = value }
        }
        return result
    }

    var written: YAMLValue { .mapping(sorted { $0.key < $1.key }.map { .init(key: $0.key, value: $0.value.written) }) }
}
