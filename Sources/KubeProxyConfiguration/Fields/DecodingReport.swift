internal import Kubernetes
internal import YAML

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
