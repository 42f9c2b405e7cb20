/// The syntax of names and labels in Kubernetes (`k8s.io/apimachinery/pkg/util/validation`).
public enum NameSyntax {
    /// The maximum length of a subdomain in bytes.
    public static let subdomainLimit = 253

    /// Whether the text is a label of RFC 1123, as in namespaces and port names: at most 63 bytes.
    public static func isLabel(_ text: some StringProtocol) -> Bool { text.utf8.count <= 63 && isSubdomain(text, allowsDots: false) }

    /// Whether the text is a subdomain: labels separated by dots (RFC 1123 §2.1). Kubernetes limits its length, not that of each label.
    public static func isSubdomain(_ text: some StringProtocol) -> Bool {
        text.utf8.count <= subdomainLimit && isSubdomain(text, allowsDots: true)
    }

    /// Whether each part begins and ends with a lower-case letter or a digit, and has only these and `-` in between.
    private static func isSubdomain(_ text: some StringProtocol, allowsDots: Bool) -> Bool {
        let (dash, dot) = (UInt8(ascii: "-"), UInt8(ascii: "."))
        var previous = dot
        for byte in text.utf8 {
            let isAllowed =
                isLowerCaseOrDigit(byte) || byte == dash && previous != dot
                || byte == dot && allowsDots && isLowerCaseOrDigit(previous)
            guard isAllowed else { return false }
            previous = byte
        }
        return isLowerCaseOrDigit(previous)
    }

    /// Whether the text is a valid value of a label; it may be empty.
    public static func isLabelValue(_ text: some StringProtocol) -> Bool { text.isEmpty || isNamePart(text) }

    /// Whether the text is a valid key of a label or an annotation: a name, optionally preceded by a domain and `/`.
    public static func isQualifiedName(_ text: some StringProtocol) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let name = parts.last, parts.count <= 2, isNamePart(name) else { return false }
        return parts.count == 1 || isSubdomain(parts[0])
    }

    /// Whether the text has at most 63 letters, digits, `-`, `_` and `.`.
    private static func isNamePart(_ text: some StringProtocol) -> Bool {
        text.utf8.count <= 63 && isBounded(text) && text.utf8.allSatisfy { isLetterOrDigit($0) || "-_.".utf8.contains($0) }
    }

    /// Whether the text begins and ends with a letter or a digit.
    private static func isBounded(_ text: some StringProtocol) -> Bool {
        let bytes = Substring(text).utf8
        guard let first = bytes.first, let last = bytes.last else { return false }
        return isLetterOrDigit(first) && isLetterOrDigit(last)
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        isLowerCaseOrDigit(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }

    private static func isLowerCaseOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
