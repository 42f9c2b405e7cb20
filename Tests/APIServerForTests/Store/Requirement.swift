/// One requirement of a selector.
struct Requirement: Hashable, Sendable {
    enum Condition: Hashable, Sendable {
        case exists
        case isAbsent
        case equals(String)
        case differs(String)
    }

    var key: String
    var condition: Condition

    /// Parses `key`, `!key`, `key=value`, `key==value`, `key!=value`; nil for the rest of the Kubernetes syntax.
    init?(_ text: Substring) {
        if let range = text.firstRange(of: "!=") {
            key = String(text[..<range.lowerBound])
            condition = .differs(String(text[range.upperBound...]))
        } else if let equal = text.firstIndex(of: "=") {
            let value = text[equal...].dropFirst()
            key = String(text[..<equal])
            condition = .equals(String(value.first == "=" ? value.dropFirst() : value))
        } else {
            condition = text.first == "!" ? .isAbsent : .exists
            key = String(text.first == "!" ? text.dropFirst() : text)
        }
        guard !key.isEmpty, !key.contains(where: { $0 == " " || $0 == "(" || $0 == "!" }) else { return nil }
    }

    /// Whether a value, nil if absent, satisfies the requirement.
    func holds(_ value: String?) -> Bool {
        switch condition {
        case .exists: value != nil
        case .isAbsent: value == nil
        case .equals(let wanted): value == wanted
        // As in Kubernetes, an absent value differs from every value.
        case .differs(let unwanted): value != unwanted
        }
    }
}
