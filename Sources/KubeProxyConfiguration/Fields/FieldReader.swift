internal import Kubernetes
internal import YAML

/// Reads the fields of an object from a mapping, and reports unknown fields.
struct FieldReader: FieldVisitor {
    private let path: String
    private var entries: [String: YAMLValue.Entry] = [:]
    /// The names, in the order of the document.
    private var names: [String] = []
    private var known: Set<String> = []
    private var report: DecodingReport

    init(_ entries: [YAMLValue.Entry], at path: String, _ report: DecodingReport) {
        self.path = path
        self.report = report
        for entry in entries {
            // The last one is used.
            if self.entries.updateValue(entry, forKey: entry.key) == nil {
                names.append(entry.key)
            } else {
                self.report.repeated.append(.init(key: entry.key, line: entry.line))
            }
        }
    }

    mutating func field<Value: FieldValue>(_ name: String, _ value: inout Value, omitsEmpty: Bool) {
        known.insert(name)
        guard let given = entries[name]?.value, given != .null else { return }
        if let read = Value.read(given, at: fieldPath(name), &report) { value = read }
    }

    private func fieldPath(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    /// Returns the report, with the unknown fields.
    consuming func finish() -> DecodingReport {
        report.unknown += names.filter { !known.contains($0) }.map(fieldPath)
        return report
    }
}

/// An object of the configuration, with one list of its fields for both reading and writing.
protocol FieldObject: FieldValue {
    init()
    /// Visits every field, in Kubernetes's order, under its JSON name.
    mutating func visit(_ fields: inout some FieldVisitor)
}

/// A visitor of the fields of an object.
protocol FieldVisitor {
    /// - Parameter omitsEmpty: Whether an empty value is not written (`omitempty`).
    mutating func field<Value: FieldValue>(_ name: String, _ value: inout Value, omitsEmpty: Bool)
}

extension FieldVisitor {
    mutating func field<Value: FieldValue>(_ name: String, _ value: inout Value) { field(name, &value, omitsEmpty: false) }
}

/// Writes the fields of an object to a mapping.
struct FieldWriter: FieldVisitor {
    private(set) var entries: [YAMLValue.Entry] = []

    mutating func field<Value: FieldValue>(_ name: String, _ value: inout Value, omitsEmpty: Bool) {
        guard !omitsEmpty || !value.isEmpty else { return }
        entries.append(.init(key: name, value: value.written))
    }
}

/// Unknown, repeated and invalid fields of a document.
struct DecodingReport {
    struct Repeated: Hashable {
        var key: String
        var line: Int
    }

    /// The paths of unknown fields.
    var unknown: [String] = []
    /// Keys that appear more than once; the last value is used.
    var repeated: [Repeated] = []
    /// Messages about invalid values, each with its field and value.
    private(set) var errors: [String] = []

    mutating func refuse(_ field: String, _ value: YAMLValue, _ message: String) {
        let shown =
            switch value {
            case .null, .list, .mapping: value.kind
            case .boolean, .number, .text: value.json
            }
        errors.append("\(field.isEmpty ? "the document" : field): \(message), not \(shown)")
    }

    /// The error of strict decoding, in kube-proxy's words; nil if there is none.
    var strictError: String? {
        guard !unknown.isEmpty || !repeated.isEmpty else { return nil }
        let lines = repeated.map { "\n  line \($0.line): key \"\($0.key)\" already set in map" }
        let fields = unknown.map { "unknown field \"\($0)\"" }
        let parts = (lines.isEmpty ? [] : ["yaml: unmarshal errors:" + lines.joined()]) + fields
        return "strict decoding error: " + parts.joined(separator: ", ")
    }
}

extension Bool {
    /// Parses a boolean as Go does (`strconv.ParseBool`).
    public init?(goText: String) {
        switch goText {
        case "1", "t", "T", "true", "TRUE", "True": self = true
        case "0", "f", "F", "false", "FALSE", "False": self = false
        default: return nil
        }
    }
}
