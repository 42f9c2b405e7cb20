import FoundationEssentials
import Logging
import Testing

@testable import Klog

private func line(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata = [:], nanoseconds: Int = 123_000_000) -> LogLine {
    LogLine(
        level: level, message: message, metadata: metadata, file: "NodeProxy/NodeProxy.swift", line: 98, seconds: 1_795_399_350,
        nanoseconds: nanoseconds)
}

@Suite struct `A log line` {
    @Test func `has klog's text format`() throws {
        let text = line(.info, "Synced", ["bind": "2", "addRealServer": "14"], nanoseconds: 45_006_999).text
        let parts = try #require(text.wholeMatch(of: /I(\d{4}) \d\d:\d\d:\d\d\.045006 +(\d+) NodeProxy.swift:98\] (.*)/))
        #expect(parts.3 == #""Synced" addRealServer="14" bind="2""#)
        for (level, letter) in [(Logger.Level.debug, "I"), (.warning, "W"), (.error, "E"), (.critical, "F")] {
            #expect(line(level, "x").text.hasPrefix(letter))
        }
    }

    @Test func `cannot be split by user input`() {
        let text = line(.info, "Refused", ["service": "a\nE1123 forged\u{1b}[2J\"\\\t"]).text
        #expect(text.hasSuffix(#"service="a\nE1123 forged\x1b[2J\"\\\t""#) && !text.contains("\n"))
        let json = line(.info, "Refused", ["service": "a\n\u{1b}\"\\"]).json
        #expect(json.hasSuffix(#""service":"a\n\u001b\"\\"}"#))
    }

    @Test func `cannot control the terminal that shows it`() {
        let text = line(.info, "Refused", ["service": "\u{9b}31m\u{202e}\u{2028}\u{e0001}é漢"])
        #expect(text.text.hasSuffix(#"service="\u009b31m\u202e\u2028\U000e0001é漢""#), "\(text.text)")
        #expect(text.json.hasSuffix(#""service":"\u009b31m\u202e\u2028\udb40\udc01é漢"}"#), "\(text.json)")
    }

    @Test func `has the JSON format of Kubernetes components`() {
        #expect(
            line(.info, "Synced", ["bind": "2", "addRealServer": "14"]).json
                == #"{"ts":1795399350123,"caller":"NodeProxy/NodeProxy.swift:98","msg":"Synced","v":0,"addRealServer":"14","bind":"2"}"#)
        #expect(
            line(.error, "Operation failed", ["error": "no such device", "operation": "x"], nanoseconds: 45_006_999).json
                == #"{"ts":1795399350045.006,"caller":"NodeProxy/NodeProxy.swift:98","msg":"Operation failed","err":"no such device","operation":"x"}"#
        )
    }

    @Test(
        arguments: [
            (.info, 0), (.notice, 0), (.warning, 0), (.debug, 4), (.trace, 6), (.error, nil), (.critical, nil),
        ] as [(Logger.Level, Int?)])
    func `contains its verbosity in JSON`(level: Logger.Level, verbosity: Int?) throws {
        struct Fields: Decodable {
            var ts: Double
            var v: Int?
            var severity: String?
        }
        let fields = try JSONDecoder().decode(Fields.self, from: Data(line(level, "x").json.utf8))
        #expect(fields.v == verbosity && fields.ts == 1_795_399_350_123)
        #expect(fields.severity == (level == .warning ? "warning" : nil))
        // Consistent with --v.
        if let verbosity {
            #expect(Verbosity.level(verbosity) <= level)
            #expect(verbosity == 0 || Verbosity.level(verbosity - 1) > level)
        }
    }

    @Test func `has no duplicate keys in JSON`() {
        let json = line(.warning, "x", ["msg": "forged", "v": "9", "severity": "none"]).json
        #expect(json.hasSuffix(#""msg":"x","v":0,"severity":"warning","msg_":"forged","severity_":"none","v_":"9"}"#), "\(json)")
    }
}
