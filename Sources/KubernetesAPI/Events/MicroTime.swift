/// A time of the API with microseconds (`meta/v1` MicroTime).
struct MicroTime: Hashable {
    var microsecondsSince1970: Int64

    /// What the clock on the wall said this long before.
    func before(_ duration: Duration) -> MicroTime {
        let (seconds, attoseconds) = duration.components
        return MicroTime(microsecondsSince1970: microsecondsSince1970 - seconds * 1_000_000 - attoseconds / 1_000_000_000_000)
    }

    /// RFC 3339 with six digits after the second, without which the API does not take it: `2026-01-01T00:00:00.000000Z`.
    var text: String {
        let seconds = microsecondsSince1970 >= 0 ? microsecondsSince1970 / 1_000_000 : (microsecondsSince1970 - 999_999) / 1_000_000
        let fraction = String(microsecondsSince1970 - seconds * 1_000_000)
        let zeros = String(repeating: "0", count: 6 - fraction.utf8.count)
        // A clock beyond the year 9999 is broken, and nothing an event could tell.
        let whole = APITime.text(secondsSince1970: seconds) ?? "9999-12-31T23:59:59Z"
        return "\(whole.dropLast()).\(zeros)\(fraction)Z"
    }
}
