import FoundationEssentials
import Testing

@testable import Text

@Suite struct `Text` {
    @Test(arguments: [
        ("", "\"\""), ("a\"b\\c", #""a\"b\\c""#), ("\n\r\t", #""\n\r\t""#), ("\u{1}\u{1f}\u{7f}", #""\u0001\u001f\u007f""#),
        ("é🙂", "\"é🙂\""),
    ]) func `is quoted as JSON that decodes to the same text`(text: String, quoted: String) throws {
        #expect(text.jsonQuoted == quoted)
        #expect(try JSONDecoder().decode(String.self, from: Data(quoted.utf8)) == text)
    }

    @Test(arguments: [
        ("", "\"\""), ("a\"b\\c", #""a\"b\\c""#), ("\n\r\t", #""\n\r\t""#), ("\u{1}\u{1f}\u{7f}", #""\x01\x1f\x7f""#), ("é🙂", "\"é🙂\""),
        ("\u{7}\u{8}\u{b}\u{c}", #""\a\b\v\f""#), ("\u{9b}31m\u{85}", #""\u009b31m\u0085""#),
        ("\u{2028}\u{202e}\u{feff}", #""\u2028\u202e\ufeff""#), ("a b\u{a0}\u{3000}", #""a b\u00a0\u3000""#),
        ("\u{e000}\u{10ffff}\u{e0001}", #""\ue000\U0010ffff\U000e0001""#),
    ]) func `is quoted as in Go, on one line`(text: String, quoted: String) {
        #expect(text.goQuoted == quoted)
    }

    @Test(arguments: [
        ("", Int.max, ""), ("default/web: é🙂", .max, "default/web: é🙂"),
        ("a\nE1128 forged\u{1b}[2J", .max, #"a\u{a}E1128 forged\u{1b}[2J"#),
        ("\u{9b}2J\u{202e}\u{2028}", .max, #"\u{9b}2J\u{202e}\u{2028}"#), ("abc", 3, "abc"), ("abcd", 3, "abc…"),
    ]) func `is printed without characters that forge a line`(text: String, limit: Int, printable: String) {
        #expect(text.printable(limit: limit) == printable)
    }

    @Test(arguments: [
        ("azAZ09-._~", "azAZ09-._~"), ("a b/c?d=e&f", "a%20b%2Fc%3Fd%3De%26f"), ("\u{1}é", "%01%C3%A9"), ("", ""),
    ]) func `is percent-encoded for a URL`(text: String, encoded: String) {
        #expect(text.percentEncoded == encoded)
    }

    @Test(arguments: [("", ""), (" \t\n", ""), ("a", "a"), ("\t a b \u{a0}\n", "a b")]) func `is trimmed at both ends`(
        text: String, trimmed: String
    ) {
        #expect(text.trimmed == trimmed)
        #expect(text[...].trimmed == trimmed)
    }

    @Test func `is padded with zeros and never truncated`() {
        #expect(7.padded(3) == "007")
        #expect(UInt8(255).padded(1, radix: 16, uppercase: true) == "FF")
    }
}

@Suite struct `A decoding problem` {
    private struct Value: Decodable {
        var ports: [Port]
        struct Port: Decodable { var port: Int }
    }

    private func problem(to json: String, _ words: DecodingProblem.Words = .json) throws -> (path: String, message: String) {
        let error = try #require(throws: DecodingError.self) { try JSONDecoder().decode(Value.self, from: Data(json.utf8)) }
        let problem = DecodingProblem(error, words: words)
        return (problem.path.fieldPath, problem.message)
    }

    @Test func `is reported with the path of the field`() throws {
        #expect(try problem(to: #"{"ports": [{"port": 1}, {"port": "x"}]}"#) == ("ports[1].port", "must be a whole number"))
        #expect(try problem(to: #"{"ports": [{}]}"#) == ("ports[0].port", "is required"))
    }

    @Test func `is reported in the terms of the format`() throws {
        #expect(try problem(to: #"{"ports": [1]}"#) == ("ports[0]", "must be an object"))
        #expect(try problem(to: #"{"ports": [1]}"#, .yaml) == ("ports[0]", "must be a mapping"))
        #expect(try problem(to: #"{"ports": null}"#) == ("ports", "must be a list, not null"))
        #expect(try problem(to: #"{"ports": null}"#, .yaml) == ("ports", "must be a list, not empty"))
    }
}
