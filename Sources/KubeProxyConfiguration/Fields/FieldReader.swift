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
