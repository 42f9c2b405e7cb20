import Yams

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
        case .text(let text): YAMLValue.quoted(text)
        case .list(let values): "[" + values.map(\.json).joined(separator: ",") + "]"
        case .mapping(let entries): "{" + entries.map { "\(YAMLValue.quoted($0.key)):\($0.value.json)" }.joined(separator: ",") + "}"
        }
    }

    /// A JSON string (RFC 8259 §7).
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
