import Testing

@testable import Kubernetes

@Suite struct `Labels and selectors` {
    private static let web: Labels = ["app": "web", "tier": "front", "empty": "", "example.com/size": "4"]

    @Test(arguments: [
        ("", true), ("app=web", true), ("app==web", true), ("app = web , tier=front", true), ("app=db", false),
        ("app=web,tier=back", false),
        ("app!=db", true), ("app!=web", false), ("missing!=x", true), ("app", true), ("missing", false), ("!missing", true),
        ("!app", false),
        ("app in (db, web)", true), ("app in (db)", false), ("app notin (db,cache)", true), ("app notin (web)", false),
        ("missing notin (x)", true), ("missing in (x)", false), ("empty=", true), ("app=", false), ("missing=", false),
        ("empty in ()", true), ("tier,app in (web),!x", true), ("in in (x)", false), ("in,app", false),
        ("example.com/size>3", true), ("example.com/size > 4", false), ("example.com/size<5,app", true), ("app>3", false),
        ("missing<3", false), ("app in (,web)", true), ("empty in (,)", true), ("app notin ()", true),
    ])
    func `select as kubectl does`(selector: String, isSelected: Bool) throws {
        #expect(try LabelSelector(selector).matches(Self.web) == isSelected)
    }

    @Test(arguments: [
        ("=web", "a label key is missing"), ("app=web,", "a label key is missing"), ("app=web db", "\"db\" is unexpected"),
        ("app in web", "values must be in parentheses"), ("app in (web", "\")\" is missing"), ("!", "a label key is missing"),
        ("app=(web)", "\"(\" is unexpected"), ("a!b", "\"!\" is unexpected"),
        ("app>web", "\"web\" is not a whole number"), ("!app>3", "\">\" is unexpected"), ("app=a/b", "\"a/b\" is not a valid label value"),
        ("app=a|b", "\"a|b\" is not a valid label value"), ("-app", "\"-app\" is not a valid label key"),
        ("a/b/c=d", "\"a/b/c\" is not a valid label key"),
        ("Example.com/a", "\"Example.com/a\" is not a valid label key"), ("a in (b c)", "\")\" is missing"),
    ])
    func `that are malformed are refused with the reason`(selector: String, reason: String) {
        #expect(throws: LabelSelector.Malformed(text: selector, reason: reason)) { try LabelSelector(selector) }
    }

    @Test func `is shown in an error as one line`() {
        let error = #expect(throws: LabelSelector.Malformed.self) { try LabelSelector("a\n\u{1b}[2J") }
        #expect(error?.description.hasPrefix(#""a\u{a}\u{1b}[2J" is not a valid label selector"#) == true)
    }

    @Test func `contain their keys and values in the order of the keys`() {
        var labels = Labels(["b": "2", "a": "1", "c": ""])
        #expect(labels.map { "\($0.key)=\($0.value)" } == ["a=1", "b=2", "c="])
        #expect(labels["b"] == "2" && labels["c"] == "" && labels["1"] == nil && labels["d"] == nil && !labels.isEmpty)
        labels["b"] = nil
        labels["d"] = "ä=,\n"
        #expect(labels == ["d": "ä=,\n", "c": "", "a": "1"])
        #expect(Labels([:]).isEmpty && Labels([:]) == [:])
    }

    @Test func `cannot be forged with NUL characters`() {
        #expect(Labels(["a": "1\0kubernetes.io/service-name\0web", "b\0x": "2", "c": "3"]) == ["c": "3"])
    }

    @Test func `of arbitrary text give a selector or an error`() {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("ab=!(), in\0é")
        for _ in 0..<5000 {
            let text = String((0..<Int.random(in: 0...12, using: &generator)).map { _ in alphabet.randomElement(using: &generator) ?? "a" })
            _ = try? LabelSelector(text).matches(Self.web)
        }
    }
}
