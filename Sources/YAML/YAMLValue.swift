internal import Text
internal import Yams

/// A value of a YAML or JSON document, not yet interpreted.
public enum YAMLValue: Hashable, Sendable {
    case null
    case boolean(Bool)
    /// A number as written; the consumer knows its range.
    case number(String)
    case text(String)
    case list([YAMLValue])
    /// In document order, including duplicate keys.
    case mapping([Entry])

    public struct Entry: Hashable, Sendable {
        public var key: String
        public var value: YAMLValue
        /// The line of the key, from 1; 0 if it does not come from a document.
        public var line: Int

        public init(key: String, value: YAMLValue, line: Int = 0) {
            self.key = key
            self.value = value
            self.line = line
        }
    }

    /// Interprets an unquoted word by the YAML 1.1 that Kubernetes reads (sigs.k8s.io/yaml).
    public init(plain text: String) {
        self = YAMLValue(word: text) ?? (YAMLNumber(text) == nil ? .text(text) : .number(text))
    }

    /// Returns nil for a word without a meaning of its own.
    private init?(word text: String) {
        // Most are longer than all of these.
        guard text.utf8.count <= 5 else { return nil }
        switch text {
        case "", "~", "null", "Null", "NULL": self = .null
        case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON": self = .boolean(true)
        case "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF": self = .boolean(false)
        default: return nil
        }
    }

    /// The name of the type for error messages.
    public var kind: String {
        switch self {
        case .null: "nothing"
        case .boolean: "a boolean"
        case .number: "a number"
        case .text: "text"
        case .list: "a list"
        case .mapping: "a mapping"
        }
    }
}

/// Why a text was rejected as YAML.
public struct YAMLSyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
    /// From 1; nil if the error concerns the complete document.
    public var line: Int?
    public var message: String
    /// Whether the text is not YAML, as opposed to YAML that exceeds the limits.
    public var isMalformed: Bool

    public init(line: Int? = nil, message: String, isMalformed: Bool = true) {
        self.line = line
        self.message = message
        self.isMalformed = isMalformed
    }

    /// `line 3: mapping values are not allowed in this context`.
    public var description: String { line.map { "line \($0): \(message)" } ?? message }
}

extension YAMLValue {
    /// The maximum number of duplicate keys in a document.
    private static let repetitions = 64

    /// How unquoted words are read.
    public enum PlainWords: Hashable, Sendable {
        /// By their YAML 1.1 types.
        case typed
        /// As written, except for null: for formats in which `yes` and `1` are text.
        case text
    }

    /// Parses a text with a single document; JSON is valid YAML. Null if it is empty.
    public init(yaml text: String, plainWords: PlainWords = .typed) throws(YAMLSyntaxError) {
        do {
            self = try YAMLValue.read(text, plainWords)
        } catch let refusal as YAMLSyntaxError {
            throw refusal
        } catch let error as YamlError {
            throw YAMLSyntaxError(error)
        } catch {
            throw YAMLSyntaxError(message: "\(error)")
        }
    }

    /// The library rejects a document with a duplicate key, but here that is up to the consumer. Therefore the first of the two keys gets a
    /// mark as a prefix, which is removed afterwards.
    private static func read(_ text: String, _ plainWords: PlainWords) throws -> YAMLValue {
        var text = text
        var marks = 0
        while true {
            do {
                return try YAMLDocument.withRoot(of: text) { root in try root.map { try YAMLValue($0, plainWords) } ?? .null }
            } catch YamlError.duplicatedKeysInMapping(let keys, let context) {
                let key = keys.first ?? ""
                guard marks < repetitions, marks > 0 || !text.unicodeScalars.contains(mark),
                    let marked = YAMLValue.marked(text, line: context.mark.line, column: context.mark.column, number: marks)
                else { throw YAMLSyntaxError(line: context.mark.line, message: "key \"\(key)\" already set in map") }
                text = marked
                marks += 1
            }
        }
    }

    /// A private-use character, so that it has no other meaning.
    private static let mark: Unicode.Scalar = "\u{E000}"

    /// Returns the text with a mark before the word at a position, after its quote if it has one; nil if there is no such position.
    private static func marked(_ text: String, line: Int, column: Int, number: Int) -> String? {
        let scalars = text.unicodeScalars
        var index = scalars.startIndex
        for _ in 1..<max(line, 1) {
            guard let end = scalars[index...].firstIndex(of: "\n") else { return nil }
            index = scalars.index(after: end)
        }
        guard column >= 1, var place = scalars.index(index, offsetBy: column - 1, limitedBy: scalars.endIndex), place < scalars.endIndex
        else { return nil }
        if scalars[place] == "\"" || scalars[place] == "'" { place = scalars.index(after: place) }
        return String(scalars[..<place]) + "\(mark)\(number)\(mark)" + String(scalars[place...])
    }

    private static func unmarked(_ key: String) -> String {
        let scalars = key.unicodeScalars
        guard scalars.first == mark, let end = scalars.dropFirst().firstIndex(of: mark) else { return key }
        return String(scalars[scalars.index(after: end)...])
    }

    private init(_ node: Yams.Node, _ plainWords: PlainWords) throws(YAMLSyntaxError) {
        switch node {
        case .scalar(let scalar):
            let plain = scalar.style == .plain ? YAMLValue(plain: scalar.string) : .text(scalar.string)
            self = plainWords == .typed || plain == .null ? plain : .text(scalar.string)
        case .sequence(let nodes):
            var values: [YAMLValue] = []
            for node in nodes { values.append(try YAMLValue(node, plainWords)) }
            self = .list(values)
        case .mapping(let pairs):
            var entries: [Entry] = []
            for (key, value) in pairs {
                guard let word = key.scalar else {
                    throw YAMLSyntaxError(line: key.mark?.line, message: "has a key that is not text")
                }
                guard plainWords == .text || word.string != "<<" || word.style != .plain else {
                    throw YAMLSyntaxError(line: word.mark?.line, message: "has a merge key (<<): write the values out")
                }
                entries.append(
                    Entry(key: YAMLValue.unmarked(word.string), value: try YAMLValue(value, plainWords), line: word.mark?.line ?? 0))
            }
            self = .mapping(entries)
        case .alias:
            throw YAMLSyntaxError(message: "has an alias of an undefined anchor")
        }
    }
}

extension YAMLValue {
    /// The value as a document, with sorted keys, as Kubernetes writes YAML.
    public var yaml: String {
        get throws(YAMLSyntaxError) {
            do {
                return try serialize(node: node, width: -1, allowUnicode: true, sortKeys: true)
            } catch {
                throw YAMLSyntaxError(message: "failed to write: \(error)")
            }
        }
    }

    private var node: Yams.Node {
        switch self {
        case .null: .scalar(.init("null", .implicit, .plain))
        case .boolean(let value): .scalar(.init("\(value)", .implicit, .plain))
        case .number(let digits): .scalar(.init(digits, .implicit, .plain))
        // Quoted if it would be read as another type; the library handles everything else that needs quotes.
        case .text(let text): .scalar(.init(text, .implicit, YAMLValue(plain: text) == self && text != "<<" ? .any : .doubleQuoted))
        case .list(let values): .sequence(.init(values.map(\.node)))
        case .mapping(let entries): .mapping(.init(entries.map { (YAMLValue.text($0.key).node, $0.value.node) }))
        }
    }

    /// The value as JSON, without white space, with the keys in their order.
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
