internal import Text

/// A label selector as in `kubectl --selector`: `app=web,tier!=cache,env in (prod,test),!canary,size>3`.
///
/// As in Kubernetes (k8s.io/apimachinery/pkg/labels), all requirements must hold, and an object without the label satisfies `!=` and
/// `notin`.
public struct LabelSelector: Hashable, Sendable {
    enum Requirement: Hashable, Sendable {
        case exists(String)
        case absent(String)
        case among(String, Set<String>)
        case notAmong(String, Set<String>)
        case greater(String, Int64)
        case less(String, Int64)

        func holds(for labels: Labels) -> Bool {
            switch self {
            case .exists(let key): labels[key] != nil
            case .absent(let key): labels[key] == nil
            case .among(let key, let values): labels[key].map(values.contains) ?? false
            case .notAmong(let key, let values): labels[key].map { !values.contains($0) } ?? true
            case .greater(let key, let bound): labels[key].flatMap { Int64($0) }.map { $0 > bound } ?? false
            case .less(let key, let bound): labels[key].flatMap { Int64($0) }.map { $0 < bound } ?? false
            }
        }
    }

    /// Why a text is not a valid selector.
    public struct Malformed: Error, Hashable, Sendable, CustomStringConvertible {
        public let text: String
        public let reason: String
        public var description: String {
            "\"\(text)\" is not a valid label selector, such as app=web,tier!=cache,env in (prod,test),!canary: \(reason)".printable()
        }
    }

    let requirements: [Requirement]

    /// Parses a selector; an empty text selects everything.
    public init(_ text: String) throws(Malformed) {
        var parser = SelectorParser(text)
        requirements = try parser.requirements()
    }

    public func matches(_ labels: Labels) -> Bool { requirements.allSatisfy { $0.holds(for: labels) } }
}

/// Splits a selector into words and operators, and parses them.
private struct SelectorParser {
    private enum Token: Hashable {
        case word(String)
        case sign(String)

        var text: String {
            switch self {
            case .word(let text), .sign(let text): text
            }
        }
    }

    private let text: String
    private var tokens: ArraySlice<Token>

    init(_ text: String) {
        self.text = text
        var tokens: [Token] = []
        var rest = Substring(text)
        while let first = rest.first {
            if first.isWhitespace {
                rest.removeFirst()
            } else if let sign = ["==", "!=", "=", "!", "(", ")", ",", ">", "<"].first(where: rest.hasPrefix) {
                tokens.append(.sign(sign))
                rest.removeFirst(sign.count)
            } else {
                let word = rest.prefix { !$0.isWhitespace && !"=!(),><".contains($0) }
                tokens.append(.word(String(word)))
                rest.removeFirst(word.count)
            }
        }
        self.tokens = tokens[...]
    }

    mutating func requirements() throws(LabelSelector.Malformed) -> [LabelSelector.Requirement] {
        guard !tokens.isEmpty else { return [] }
        var requirements = [try requirement()]
        while take(.sign(",")) { requirements.append(try requirement()) }
        if let token = tokens.first { throw fail("\"\(token.text)\" is unexpected") }
        return requirements
    }

    private mutating func requirement() throws(LabelSelector.Malformed) -> LabelSelector.Requirement {
        if take(.sign("!")) { return .absent(try key()) }
        let key = try key()
        if take(.sign("=")) || take(.sign("==")) { return .among(key, [try value()]) }
        if take(.sign("!=")) { return .notAmong(key, [try value()]) }
        if take(.sign(">")) { return .greater(key, try number()) }
        if take(.sign("<")) { return .less(key, try number()) }
        if take(.word("in")) { return .among(key, try values()) }
        if take(.word("notin")) { return .notAmong(key, try values()) }
        return .exists(key)
    }

    private mutating func take(_ token: Token) -> Bool {
        guard tokens.first == token else { return false }
        tokens.removeFirst()
        return true
    }

    private mutating func key() throws(LabelSelector.Malformed) -> String {
        guard case .word(let key)? = tokens.popFirst() else { throw fail("a label key is missing") }
        guard NameSyntax.isQualifiedName(key) else { throw fail("\"\(key)\" is not a valid label key") }
        return key
    }

    /// Returns a value, which may be empty.
    private mutating func value() throws(LabelSelector.Malformed) -> String {
        guard case .word(let value)? = tokens.first else { return "" }
        guard NameSyntax.isLabelValue(value) else { throw fail("\"\(value)\" is not a valid label value") }
        tokens.removeFirst()
        return value
    }

    private mutating func number() throws(LabelSelector.Malformed) -> Int64 {
        let text = try value()
        guard let number = Int64(text) else { throw fail("\"\(text)\" is not a whole number") }
        return number
    }

    private mutating func values() throws(LabelSelector.Malformed) -> Set<String> {
        guard take(.sign("(")) else { throw fail("values must be in parentheses") }
        var values: Set<String> = [try value()]
        while take(.sign(",")) { values.insert(try value()) }
        guard take(.sign(")")) else { throw fail("\")\" is missing") }
        return values
    }

    private func fail(_ reason: String) -> LabelSelector.Malformed { .init(text: text, reason: reason) }
}
