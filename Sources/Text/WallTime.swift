/// A wall-clock time in UTC, and its text forms for users and other programs.
public struct WallTime: Hashable, Sendable, Comparable {
    /// Since 1970-01-01.
    public var seconds: Int64
    /// 0…999,999,999.
    public var nanoseconds: Int32

    public init(seconds: Int64, nanoseconds: Int32 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// The zero time of Go: the start of the year 1.
    public static let never = WallTime(seconds: -62_135_596_800)

    /// Seconds since 1970 with a fraction, as in Prometheus metrics.
    public var secondsSinceEpoch: Double { Double(seconds) + Double(nanoseconds) / 1e9 }

    public static func < (lhs: WallTime, rhs: WallTime) -> Bool { (lhs.seconds, lhs.nanoseconds) < (rhs.seconds, rhs.nanoseconds) }

    /// RFC 3339 with as many fractional digits as needed (Go's `RFC3339Nano`): `2026-11-23T02:03:20.906555337Z`.
    public var rfc3339: String {
        let date = calendar
        var text = "\(date.year.padded(4))-\(date.month.padded(2))-\(date.day.padded(2))T\(date.clock)"
        var fraction = Substring(nanoseconds.padded(9))
        while fraction.hasSuffix("0") { fraction.removeLast() }
        if !fraction.isEmpty { text += ".\(fraction)" }
        return text + "Z"
    }

    /// As in HTTP's `Date` header (RFC 9110, 5.6.7): `Mon, 23 Nov 2026 02:03:20 GMT`.
    public var httpDate: String {
        let date = calendar
        return "\(date.weekdayName), \(date.day.padded(2)) \(date.monthName) \(date.year.padded(4)) \(date.clock) GMT"
    }

    /// As in the output of `date` (Go's `UnixDate`): `Mon Nov 23 02:02:30 UTC 2026`.
    public var unixDate: String {
        let date = calendar
        let day = date.day < 10 ? " \(date.day)" : "\(date.day)"
        return "\(date.weekdayName) \(date.monthName) \(day) \(date.clock) UTC \(date.year.padded(4))"
    }

    private struct Calendar {
        var year: Int64
        var month: Int64
        var day: Int64
        /// 0 is Sunday.
        var weekday: Int64
        /// `02:03:20`.
        var clock: String

        var weekdayName: String { ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][Int(weekday)] }
        var monthName: String {
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][Int(month - 1)]
        }
    }

    /// The date in the proleptic Gregorian calendar, computed in eras of 400 years from 1 March, so that leap days come last.
    private var calendar: Calendar {
        let days = seconds.flooredQuotient(86400)
        let second = seconds - days * 86400
        let shifted = days + 719_468
        let era = shifted.flooredQuotient(146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let clock = [second / 3600, second / 60 % 60, second % 60].map { $0.padded(2) }.joined(separator: ":")
        return Calendar(
            year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month: month, day: dayOfYear - (153 * monthFromMarch + 2) / 5 + 1,
            weekday: (days + 4) - (days + 4).flooredQuotient(7) * 7, clock: clock)
    }
}

extension Int64 {
    fileprivate func flooredQuotient(_ divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
