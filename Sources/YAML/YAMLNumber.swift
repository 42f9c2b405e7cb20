/// A number in the YAML 1.1 of kubectl (sigs.k8s.io/yaml): decimal, octal (`0120`, `0o120`), hexadecimal and binary, with `_` between
/// digits.
///
/// `1:30` is text, not a number in base 60. A number that begins like an octal one but is not, such as `089`, is decimal.
public enum YAMLNumber: Hashable, Sendable {
    case integer(Int64)
    /// Beyond `Int64.max`.
    case unsigned(UInt64)
    case float(Double)

    /// Returns nil if the text is not a number.
    public init?(_ text: String) {
        guard let first = text.utf8.first else { return nil }
        switch first {
        case UInt8(ascii: "."):
            if let special = YAMLNumber.specials[text] {
                self = .float(special)
            } else {
                self.init(float: text)
            }
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            if let special = YAMLNumber.specials[text] {
                self = .float(special)
                return
            }
            let plain = text.filter { $0 != "_" }
            if let whole = YAMLNumber(whole: plain) { self = whole } else { self.init(float: plain) }
        default: return nil
        }
    }

    private static let specials: [String: Double] = [
        ".nan": .nan, ".NaN": .nan, ".NAN": .nan, ".inf": .infinity, ".Inf": .infinity, ".INF": .infinity, "+.inf": .infinity,
        "+.Inf": .infinity, "+.INF": .infinity, "-.inf": -.infinity, "-.Inf": -.infinity, "-.INF": -.infinity,
    ]

    private init?(whole text: String) {
        var digits = text[...]
        let sign = digits.first == "-" || digits.first == "+" ? String(digits.removeFirst()) : ""
        var radix = 10
        if let prefixed = ["0x": 16, "0o": 8, "0b": 2][digits.prefix(2).lowercased()] {
            radix = prefixed
            digits.removeFirst(2)
        } else if digits.count > 1, digits.first == "0" {
            radix = 8
        }
        guard let first = digits.first, first.isHexDigit else { return nil }
        if let value = Int64(sign + digits, radix: radix) {
            self = .integer(value)
        } else if sign.isEmpty, let value = UInt64(digits, radix: radix) {
            self = .unsigned(value)
        } else {
            return nil
        }
    }

    /// `1`, `.5`, `1.`, `1e3`, with an optional sign.
    private init?(float text: String) {
        var rest = text.utf8[...]
        func skipSign() {
            if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
        }
        func skipDigits() -> Bool {
            let run = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            rest = rest.dropFirst(run.count)
            return !run.isEmpty
        }
        skipSign()
        var hasDigits = skipDigits()
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            hasDigits = skipDigits() || hasDigits
        }
        guard hasDigits else { return nil }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest.removeFirst()
            skipSign()
            guard skipDigits() else { return nil }
        }
        guard rest.isEmpty, let value = Double(text.hasSuffix(".") ? text + "0" : text) else { return nil }
        self = .float(value)
    }

    /// The number if it is whole and fits the type; `80.0` is 80, as in JSON.
    public func whole<T: FixedWidthInteger>(_ type: T.Type = T.self) -> T? {
        switch self {
        case .integer(let value): T(exactly: value)
        case .unsigned(let value): T(exactly: value)
        case .float(let value): T(exactly: value)
        }
    }

    public var double: Double {
        switch self {
        case .integer(let value): Double(value)
        case .unsigned(let value): Double(value)
        case .float(let value): value
        }
    }
}

extension YAMLNumber: CustomStringConvertible {
    /// In decimal: `0x50` is `80`.
    public var description: String {
        switch self {
        case .integer(let value): "\(value)"
        case .unsigned(let value): "\(value)"
        case .float(let value): Int64(exactly: value).map { "\($0)" } ?? "\(value)"
        }
    }
}
