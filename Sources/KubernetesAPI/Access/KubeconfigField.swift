internal import FoundationEssentials
internal import YAML

/// A field of a kubeconfig: its value, and its path for errors.
struct KubeconfigField {
    let source: String
    let path: String
    let value: KubeconfigValue

    func error(_ message: String, showing value: String? = nil) -> AccessError {
        AccessError(source: source, field: path.isEmpty ? nil : path, value: value, message: message)
    }

    var isAbsent: Bool { value == .null }

    /// The field of a mapping; absent and null are equivalent.
    subscript(_ key: String) -> KubeconfigField {
        get throws(AccessError) {
            let path = path.isEmpty ? key : "\(path).\(key)"
            switch value {
            case .null: return KubeconfigField(source: source, path: path, value: .null)
            case .map(let map): return KubeconfigField(source: source, path: path, value: map[key] ?? .null)
            case .text, .list: throw error("must be a mapping")
            }
        }
    }

    func elements() throws(AccessError) -> [KubeconfigField] {
        switch value {
        case .null: return []
        case .list(let list):
            return list.enumerated().map { KubeconfigField(source: source, path: "\(path)[\($0.offset)]", value: $0.element) }
        case .text, .map: throw error("must be a list")
        }
    }

    /// The text of the field; nil if it is absent or empty.
    func text() throws(AccessError) -> String? {
        switch value {
        case .null: return nil
        case .text(let text): return text.isEmpty ? nil : text
        case .list, .map: throw error("must be text")
        }
    }

    func requiredText() throws(AccessError) -> String {
        guard let text = try text() else { throw error("is required") }
        return text
    }

    func bool() throws(AccessError) -> Bool {
        switch try text() {
        case nil, "false": return false
        case "true": return true
        case let other: throw error("must be true or false", showing: other)
        }
    }

    /// Decodes base64. Errors omit the value, as it may be a key.
    func base64() throws(AccessError) -> [UInt8]? {
        guard let text = try text() else { return nil }
        guard let data = Data(base64Encoded: String(text.filter { !$0.isWhitespace })) else { throw error("must be base64") }
        return [UInt8](data)
    }

    /// Returns the path of a file; relative paths start at the folder of the kubeconfig.
    func file(relativeTo folder: String) throws(AccessError) -> String? {
        guard let text = try text() else { return nil }
        return text.hasPrefix("/") ? text : "\(folder)/\(text)"
    }
}

/// A value of a kubeconfig, not yet interpreted.
enum KubeconfigValue: Hashable {
    case null
    case text(String)
    case list([KubeconfigValue])
    /// For a duplicate key, the last value wins, as in kubectl.
    case map([String: KubeconfigValue])

    /// Parses a single document; JSON is valid YAML.
    init(yaml text: String) throws(YAMLSyntaxError) {
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
