internal import Kubernetes
internal import YAML

/// Makes a mapping of the fields of an object.
struct FieldWriter: FieldVisitor {
    private(set) var entries: [YAMLValue.Entry] = []

    mutating func field<Value: FieldValue>(_ name: String, _ value: inout Value, omitsEmpty: Bool) {
        guard !omitsEmpty || !value.isEmpty else { return }
        entries.append(.init(key: name, value: value.written))
    }
}
