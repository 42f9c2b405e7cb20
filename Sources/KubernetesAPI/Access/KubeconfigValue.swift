internal import YAML

/// A value of a kubeconfig, before anyone knows what it is for.
enum KubeconfigValue: Hashable {
    case null
    case text(String)
    case list([KubeconfigValue])
    /// The last value of a key that is there twice counts, as it does for kubectl.
    case map([String: KubeconfigValue])

    /// Reads the one document of a text; JSON is YAML too.
    init(yaml text: String) throws(YAMLRefusal) {
        self.init(try YAMLValue(yaml: text, plainWords: .text))
    }

    private init(_ value: YAMLValue) {
        switch value {
        case .null: self = .null
        case .boolean(let flag): self = .text("\(flag)")
        case .number(let text), .text(let text): self = .text(text)
        case .list(let values): self = .list(values.map { KubeconfigValue($0) })
        case .mapping(let entries):
            self = .map(Dictionary(entries.map { ($0.key, KubeconfigValue($0.value)) }, uniquingKeysWith: { $1 }))
        }
    }
}
