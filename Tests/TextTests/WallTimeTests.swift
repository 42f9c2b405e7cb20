@testable import Text
import Testing

@Suite struct `A wall time` {
    @Test func `is formatted like Go's RFC3339Nano, without trailing zeros`() {
        #expect(WallTime(seconds: 1_795_399_400, nanoseconds: 906_555_337).rfc3339 == "2026-11-23T02:03:20.906555337Z")
        #expect(WallTime(seconds: 1_795_399_400, nanoseconds: 120_000_000).rfc3339 == "2026-11-23T02:03:20.12Z")
        #expect(WallTime(seconds: 0).rfc3339 == "1970-01-01T00:00:00Z")
        #expect(WallTime.never.rfc3339 == "0001-01-01T00:00:00Z")
    }

    @Test(arguments: [
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
    ]) func `follows the calendar`(seconds: Int64, text: String) { #expect(WallTime(seconds: seconds).httpDate == text) }

    @Test func `is formatted like the date command`() {
        #expect(WallTime(seconds: 1_795_399_350).unixDate == "Mon Nov 23 02:02:30 UTC 2026")
        #expect(WallTime(seconds: 951_868_800).unixDate == "Wed Mar  1 00:00:00 UTC 2000")
    }
}
