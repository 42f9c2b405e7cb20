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

    /// What a word without quotes means in the YAML 1.1 that Kubernetes reads.
    public init(plain text: String) {
        switch text {
        case "", "~", "null", "Null", "NULL": self = .null
        case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON": self = .boolean(true)
        case "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF": self = .boolean(false)
        default: self = YAMLValue.isNumber(text) ? .number(text) : .text(text)
        }
    }

    /// How the value is named where it does not fit.
    public var kind: String {
        switch self {
        case .null: "nothing"
        case .boolean: "a truth value"
        case .number: "a number"
        case .text: "text"
        case .list: "a list"
        case .mapping: "a mapping"
        }
    }

    private static func isNumber(_ text: String) -> Bool {
        var digits = text[...]
        if digits.first == "-" || digits.first == "+" { digits.removeFirst() }
        if [".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"].contains(digits) { return true }
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where digits.hasPrefix(prefix) {
            let rest = digits.dropFirst(2)
            return !rest.isEmpty && rest.allSatisfy { $0 == "_" || $0.isASCII && ($0.hexDigitValue ?? 16) < radix }
        }
        return isDecimal(digits)
    }

    /// `1`, `1_000`, `.5`, `1.`, `1e3`.
    private static func isDecimal(_ text: Substring) -> Bool {
        var rest = text
        let whole = digits(&rest)
        var part: Int?
        if rest.first == "." {
            rest.removeFirst()
            part = digits(&rest)
        }
        guard whole != nil || part != nil else { return false }
        guard let exponent = rest.first else { return true }
        guard exponent == "e" || exponent == "E" else { return false }
        rest.removeFirst()
        if rest.first == "-" || rest.first == "+" { rest.removeFirst() }
        return digits(&rest) != nil && rest.isEmpty
    }

    /// Takes digits away and returns how many; nil for none. A number begins with a digit, `_` may stand between.
    private static func digits(_ rest: inout Substring) -> Int? {
        let run = rest.prefix { ("0"..."9").contains($0) || $0 == "_" }
        guard let first = run.first, first != "_" else { return nil }
        rest = rest.dropFirst(run.count)
        return run.count
    }
}

/// Why a text is not YAML.
public struct YAMLRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// From 1; nil where it is about the whole.
    public var line: Int?
    public var message: String

    public init(line: Int? = nil, message: String) {
        self.line = line
        self.message = message
    }

    /// `line 3: mapping values are not allowed in this context`.
    public var description: String { line.map { "line \($0): \(message)" } ?? message }
}
