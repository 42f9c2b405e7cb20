internal import FoundationEssentials
internal import Kubernetes
internal import StatusTable
internal import YAML

extension StatusDocument {
    var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }

    /// JSON is YAML already; this is how Kubernetes writes it.
    var yaml: String {
        get throws { try YAMLValue(yaml: json).yaml }
    }
}
