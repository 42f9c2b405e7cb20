import Testing

@testable import APIServerForTests

@Suite struct `The test server's JSON` {
    private func json(_ text: String) throws -> JSON { try JSON(Array(text.utf8)) }

    @Test func `is written as it was parsed`() throws {
        let text = #"{"a":[1,-2.5e3,true,false,null,{}],"b":"\"\\ü\n\u0001","12345678901234567890":[]}"#
        #expect(try String(decoding: json(text).bytes, as: UTF8.self) == text)
        #expect(try json(#" { "x" : "\u00e4\ud83d\ude00\/" } "#) == ["x": "ä😀/"])
    }

    @Test(arguments: ["", "{", "[1,]", "{\"a\"}", "\"a", "tru", "1 2", "\"\\x\"", "\"\n\"", "{a:1}", String(repeating: "[", count: 500)])
    func `must be valid`(text: String) {
        #expect(throws: JSON.Malformed.self) { try json(text) }
    }

    /// The examples of RFC 7386, appendix A.
    @Test(arguments: [
        (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
        (#"{"a":"b"}"#, #"{"a":null}"#, "{}"), (#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#),
        (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"c"}"#, #"{"a":["b"]}"#, #"{"a":["b"]}"#),
        (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#), (#"{"a":[{"b":"c"}]}"#, #"{"a":[1]}"#, #"{"a":[1]}"#),
        (#"["a","b"]"#, #"["c","d"]"#, #"["c","d"]"#), (#"{"a":"b"}"#, #"["c"]"#, #"["c"]"#), (#"{"a":"foo"}"#, "null", "null"),
        (#"{"a":"foo"}"#, #""bar""#, #""bar""#), (#"{"e":null}"#, #"{"a":1}"#, #"{"e":null,"a":1}"#),
        ("[1,2]", #"{"a":"b","c":null}"#, #"{"a":"b"}"#), ("{}", #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
    ])
    func `is patched per RFC 7386`(original: String, patch: String, result: String) throws {
        #expect(try json(original).merging(json(patch)) == json(result))
    }
}
