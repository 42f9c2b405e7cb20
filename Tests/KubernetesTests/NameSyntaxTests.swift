import Kubernetes
import Testing

@Suite struct `The syntax of names` {
    private static let long = String(repeating: "a", count: 64)

    @Test func `limits the length of a label and of an entire subdomain`() {
        #expect(NameSyntax.isLabel(Self.long.dropFirst()) && !NameSyntax.isLabel(Self.long))
        #expect(NameSyntax.isSubdomain(Self.long + "." + Self.long))
        #expect(!NameSyntax.isSubdomain(Array(repeating: "a", count: 128).joined(separator: ".")))
    }

    @Test(arguments: [("a-1", true), ("1a", true), ("", false), ("-a", false), ("a-", false), ("A", false), ("a_b", false), ("ä", false)])
    func `recognizes a label`(text: String, isLabel: Bool) {
        #expect(NameSyntax.isLabel(text) == isLabel)
        #expect(NameSyntax.isSubdomain("a.\(text)") == isLabel)
        #expect(NameSyntax.isSubdomain("a.\(text).b") == isLabel)
    }

    @Test(arguments: [
        ("app", true), ("App_1.x", true), ("a.example/App", true), ("", false), ("/a", false), ("a/", false), ("a/b/c", false),
        ("A.b/c", false),
        ("-a", false), (long, false),
    ])
    func `recognizes a label key`(text: String, isKey: Bool) {
        #expect(NameSyntax.isQualifiedName(text) == isKey)
    }

    @Test(arguments: [("", true), ("a.B_c-1", true), ("a b", false), (".a", false), (long, false)])
    func `recognizes a label value, which may be empty`(text: String, isValue: Bool) {
        #expect(NameSyntax.isLabelValue(text) == isValue)
    }
}
