/// A time of the API (`meta/v1` Time).
public struct Time: Hashable, Sendable {
    public let secondsSince1970: Int64
    /// The fraction of the second, 0 to 999,999,999; 0 in times that the API server writes.
    public let nanoseconds: Int32

    /// 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z, the range that the API allows.
    private static let allowed: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

    /// Returns nil outside the years 1 to 9999.
    public init?(secondsSince1970: Int64, nanoseconds: Int32 = 0) {
        guard Time.allowed.contains(secondsSince1970), 0..<1_000_000_000 ~= nanoseconds else { return nil }
        self.secondsSince1970 = secondsSince1970
        self.nanoseconds = nanoseconds
    }

    /// Parses RFC 3339 as Go does: `2026-01-01T00:00:00Z`, `2026-01-01T01:00:00.25+01:00`; nil for anything else.
    public init?(_ text: String) {
        var digits = Digits(text.utf8[...])
        guard let year = digits.number(4), digits.take("-"), let month = digits.number(2), digits.take("-"), let day = digits.number(2),
            digits.take("T"), let hour = digits.number(2), digits.take(":"), let minute = digits.number(2), digits.take(":"),
            let second = digits.number(2), let nanoseconds = digits.fraction(), let offset = digits.offset(), digits.isAtEnd,
            (1...12).contains(month), day >= 1, day <= Time.days(ofMonth: month, year), hour < 24, minute < 60, second < 60
        else { return nil }
        let seconds = Time.days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset
        self.init(secondsSince1970: Int64(seconds), nanoseconds: nanoseconds)
    }

    private static func days(ofMonth month: Int, _ year: Int) -> Int {
        let isLeapYear = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return month == 2 ? (isLeapYear ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
    }

    /// Days since 1970 of a proleptic Gregorian date, in 400-year cycles of 146,097 days counted from 0000-03-01, so that leap days come
    /// last.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        // Shifted by one cycle, so that January of the year 0 is not negative.
        let year = (month <= 2 ? year - 1 : year) + 400
        let yearOfCycle = year % 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return (year / 400 - 1) * 146_097 + yearOfCycle * 365 + yearOfCycle / 4 - yearOfCycle / 100 + dayOfYear - 719_468
    }
}

extension Time: Comparable {
    public static func < (lhs: Time, rhs: Time) -> Bool {
        (lhs.secondsSince1970, lhs.nanoseconds) < (rhs.secondsSince1970, rhs.nanoseconds)
    }
}

/// Parses the text of a time from its start.
private struct Digits {
    private var rest: Substring.UTF8View

    init(_ text: Substring.UTF8View) { rest = text }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest.removeFirst()
        return true
    }

    private mutating func digit() -> Int? {
        guard let byte = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
        rest.removeFirst()
        return Int(byte - UInt8(ascii: "0"))
    }

    /// A number with this many digits.
    mutating func number(_ count: Int) -> Int? {
        var number = 0
        for _ in 0..<count {
            guard let digit = digit() else { return nil }
            number = number * 10 + digit
        }
        return number
    }

    /// Nanoseconds; 0 without a fraction, nil for a point without digits. Further digits are dropped.
    mutating func fraction() -> Int32? {
        guard take(".") else { return 0 }
        var (nanoseconds, unit): (Int32, Int32) = (0, 100_000_000)
        guard let first = digit() else { return nil }
        nanoseconds = Int32(first) * unit
        while let digit = digit() {
            unit /= 10
            nanoseconds += Int32(digit) * unit
        }
        return nanoseconds
    }

    /// The offset from UTC in seconds: `Z`, `+01:00`.
    mutating func offset() -> Int? {
        if take("Z") { return 0 }
        let isWest = take("-")
        guard isWest || take("+"), let hours = number(2), take(":"), let minutes = number(2), hours < 24, minutes < 60 else { return nil }
        return (isWest ? -1 : 1) * (hours * 3600 + minutes * 60)
    }
}
