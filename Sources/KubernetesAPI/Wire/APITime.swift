internal import Text

/// A time of the API (`meta/v1` Time) as text, as its JSON has it: RFC 3339, UTC, whole seconds.
enum APITime {
    /// 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z in seconds since 1970, which is what the API allows.
    private static let allowed: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

    /// `2026-01-01T00:00:00Z`; nil outside the years 1 to 9999.
    static func text(secondsSince1970 seconds: Int64) -> String? {
        allowed.contains(seconds) ? WallTime(seconds: seconds).rfc3339 : nil
    }
}
