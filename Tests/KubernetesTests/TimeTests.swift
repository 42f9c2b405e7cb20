import FoundationEssentials
import Model
import Testing

@testable import Kubernetes

@Suite struct `An API time` {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0, 0), ("2026-01-01T00:00:00Z", 1_767_225_600, 0), ("2026-01-01T01:30:00+01:30", 1_767_225_600, 0),
            ("2025-12-31T19:00:00-05:00", 1_767_225_600, 0), ("2026-01-01T00:00:00.25Z", 1_767_225_600, 250_000_000),
            ("2026-01-01T00:00:00.1234567899Z", 1_767_225_600, 123_456_789), ("1969-12-31T23:59:59Z", -1, 0),
            ("0001-01-01T00:00:00Z", -62_135_596_800, 0), ("9999-12-31T23:59:59Z", 253_402_300_799, 0),
            ("2024-02-29T12:00:00Z", 1_709_208_000, 0),
        ] as [(String, Int64, Int32)])
    func `is parsed from RFC 3339`(text: String, seconds: Int64, nanoseconds: Int32) throws {
        let time = try #require(Time(text))
        #expect(time.secondsSince1970 == seconds && time.nanoseconds == nanoseconds)
    }

    @Test(arguments: [
        "", "yesterday", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-04-31T00:00:00Z",
        "2025-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00z", "2026-01-01 00:00:00Z", "2026-01-01T00:00:00+1:00",
        "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00Z ", "26-01-01T00:00:00Z", "0000-12-31T23:59:59Z", "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01", "99999-01-01T00:00:00Z", "2026-01-01T00:00:00,5Z5",
    ])
    func `is not parsed from anything else`(text: String) {
        #expect(Time(text) == nil)
    }

    @Test func `is parsed as by Foundation`() throws {
        // Each day of 500 years, at varying times of day.
        for day in stride(from: Int64(-100_000), to: 82_000, by: 1) {
            let seconds = day * 86400 + abs(day) * 7919 % 86400
            let text = Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
            #expect(Time(text)?.secondsSince1970 == seconds, "\(text)")
        }
    }

    @Test func `is ordered by instant, whatever its zone`() throws {
        let texts = ["2026-01-01T02:00:00+02:00", "2026-01-01T00:00:00.5Z", "2025-12-31T23:00:01-01:00", "2026-01-01T00:00:02Z"]
        let times = try texts.map { try #require(Time($0)) }
        #expect(times == times.sorted() && Set(times).count == 4)
    }
}

@Suite struct `An endpoint's addresses` {
    @Test func `end before invalid text, so that no later address takes its position`() throws {
        let json = """
            {"metadata": {"name": "web"}, "addressType": "IPv4", "endpoints": [
              {"addresses": ["10.0.0.1", "10.0.0.2"]}, {"addresses": ["10.0.0.256", "10.0.0.3"], "conditions": {"ready": true}},
              {"addresses": ["10.0.0.4", "web.example", "10.0.0.5"]}, {"addresses": []}, {}]}
            """
        let slice = try JSONDecoder().decode(EndpointSlice.self, from: Data(json.utf8))
        #expect(slice.endpoints.map { $0.addresses.map(\.description) } == [["10.0.0.1", "10.0.0.2"], [], ["10.0.0.4"], [], []])
        // It is still counted: `status` reports ready endpoints that get no traffic.
        #expect(slice.endpoints[1].isReady)
    }
}
