internal import Text
internal import Yams

extension YAMLValue {
    /// The value as a document, with sorted keys, as Kubernetes writes YAML.
    public var yaml: String {
        get throws(YAMLRefusal) {
            do {
                return try serialize(node: node, width: -1, allowUnicode: true, sortKeys: true)
            } catch {
                throw YAMLRefusal(message: "cannot be written: \(error)")
            }
        }
    }

    private var node: Yams.Node {
        switch self {
        case .null: .scalar(.init("null", .implicit, .plain))
        case .boolean(let value): .scalar(.init("\(value)", .implicit, .plain))
        case .number(let digits): .scalar(.init(digits, .implicit, .plain))
        // Quoted where it would be read as something else; the library knows what else needs quotes.
        case .text(let text): .scalar(.init(text, .implicit, YAMLValue(plain: text) == self && text != "<<" ? .any : .doubleQuoted))
        case .list(let values): .sequence(.init(values.map(\.node)))
        case .mapping(let entries): .mapping(.init(entries.map { (YAMLValue.text($0.key).node, $0.value.node) }))
        }
    }

    /// The value as JSON, without white space, keys in their order.
    public var json: String {
        switch self {
        case .null: "null"
        case .boolean(let value): "\(value)"
        case .number(let digits): digits
        case .text(let text): text.jsonQuoted
        case .list(let values): "[" + values.map(\.json).joined(separator: ",") + "]"
        case .mapping(let entries): "{" + entries.map { "\($0.key.jsonQuoted):\($0.value.json)" }.joined(separator: ",") + "}"
        }
    }
}
