internal import Kubernetes
internal import YAML

/// Fills the fields of an object from a mapping, and tells what is left over.
struct FieldReader: FieldVisitor {
    private let path: String
    private var entries: [String: YAMLValue.Entry] = [:]
    /// The names in the order of the document.
    private var names: [String] = []
    private var known: Set<String> = []
    private var report: DecodingReport

    init(_ entries: [YAMLValue.Entry], at path: String, _ report: DecodingReport) {
        self.path = path
        self.report = report
        for entry in entries {
            // The last one counts.
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
        if let read = Value.read(given, at: place(name), &report) { value = read }
    }

    private func place(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    /// What was found, with the fields that nobody asked for.
    consuming func finish() -> DecodingReport {
        report.unknown += names.filter { !known.contains($0) }.map(place)
        return report
    }
}

/// An object of the configuration: one list of its fields serves for reading and for writing.
protocol FieldObject: FieldValue {
    init()
    /// Shows every field, in Kubernetes's order, under its name in JSON.
    mutating func visit(_ fields: inout some FieldVisitor)
}

/// What passes over the fields of an object.
protocol FieldVisitor {
    /// - Parameter omitsEmpty: not written where it is empty (`omitempty`).
    mutating func field<Value: FieldValue>(_ name: String, _ value: inout Value, omitsEmpty: Bool)
}

extension FieldVisitor {
    mutating func field<Value: FieldValue>(_ name: String, _ value: inout Value) { field(name, &value, omitsEmpty: false) }
}

/// Makes a mapping of the fields of an object.
struct FieldWriter: FieldVisitor {
    private(set) var entries: [YAMLValue.Entry] = []

    mutating func field<Value: FieldValue>(_ name: String, _ value: inout Value, omitsEmpty: Bool) {
        guard !omitsEmpty || !value.isEmpty else { return }
        entries.append(.init(key: name, value: value.written))
    }
}

/// What a document has beside what it should have.
struct DecodingReport {
    struct Repeated: Hashable {
        var key: String
        var line: Int
    }

    /// Paths of fields that no version has.
    var unknown: [String] = []
    /// Keys that are there twice; the last value counts.
    var repeated: [Repeated] = []
    /// What cannot be read, each with its field and value.
    private(set) var mistakes: [String] = []

    mutating func refuse(_ field: String, _ value: YAMLValue, _ message: String) {
        let shown =
            switch value {
            case .null, .list, .mapping: value.kind
            case .boolean, .number, .text: value.json
            }
        mistakes.append("\(field.isEmpty ? "the document" : field): \(message), not \(shown)")
    }

    /// What a strict reader would not take, in kube-proxy's words; nil where there is none.
    var strictError: String? {
        guard !unknown.isEmpty || !repeated.isEmpty else { return nil }
        let lines = repeated.map { "\n  line \($0.line): key \"\($0.key)\" already set in map" }
        let fields = unknown.map { "unknown field \"\($0)\"" }
        let parts = (lines.isEmpty ? [] : ["yaml: unmarshal errors:" + lines.joined()]) + fields
        return "strict decoding error: " + parts.joined(separator: ", ")
    }
}

extension Bool {
    /// A boolean as Go reads it (`strconv.ParseBool`).
    public init?(goText: String) {
        switch goText {
        case "1", "t", "T", "true", "TRUE", "True": self = true
        case "0", "f", "F", "false", "FALSE", "False": self = false
        default: return nil
        }
    }
}
