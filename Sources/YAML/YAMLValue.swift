/// A value of a YAML or JSON document, before anyone knows what it is for.
public enum YAMLValue: Hashable, Sendable {
    case null
    case boolean(Bool)
    /// A number as it stands there: who needs it knows its range.
    case number(String)
    case text(String)
    case list([YAMLValue])
    /// In the order of the document; a key that is there twice is here twice.
    case mapping([Entry])

    public struct Entry: Hashable, Sendable {
        public var key: String
        public var value: YAMLValue
        /// Where the key stands, from 1; 0 where nothing was read.
        public var line: Int

        public init(key: String, value: YAMLValue, line: Int = 0) {
            self.key = key
            self.value = value
            self.line = line
        }
    }

    /// What a word without quotes means in the YAML 1.1 that Kubernetes reads (sigs.k8s.io/yaml).
    public init(plain text: String) {
        switch text {
        case "", "~", "null", "Null", "NULL": self = .null
        case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON": self = .boolean(true)
        case "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF": self = .boolean(false)
        default: self = YAMLNumber(text) == nil ? .text(text) : .number(text)
        }
    }

    /// How the value is named where it does not fit.
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

/// Why a text is not read as YAML.
public struct YAMLRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// From 1; nil where it is about the whole.
    public var line: Int?
    public var message: String
    /// Whether the text is no YAML, as against YAML that is beyond the limits.
    public var isMalformed: Bool

    public init(line: Int? = nil, message: String, isMalformed: Bool = true) {
        self.line = line
        self.message = message
        self.isMalformed = isMalformed
    }

    /// `line 3: mapping values are not allowed in this context`.
    public var description: String { line.map { "line \($0): \(message)" } ?? message }
}
