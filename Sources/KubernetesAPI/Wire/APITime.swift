/// A time of the API (`meta/v1` Time) as text, as its JSON has it: RFC 3339, UTC, whole seconds.
enum APITime {
    private static let secondsOfDay: Int64 = 86_400

    /// 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z in seconds since 1970, which is what the API allows.
    private static let allowed: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

    /// `2026-01-01T00:00:00Z`; nil outside the years 1 to 9999.
    static func text(secondsSince1970 seconds: Int64) -> String? {
        guard allowed.contains(seconds) else { return nil }
        let second = Int(seconds - days(of: seconds) * secondsOfDay)
        let (year, month, day) = date(days(of: seconds))
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T"
            + "\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))Z"
    }

    private static func days(of seconds: Int64) -> Int64 {
        seconds >= 0 ? seconds / secondsOfDay : -((-seconds + secondsOfDay - 1) / secondsOfDay)
    }

    /// The proleptic Gregorian date, by the 400-year cycles of 146,097 days counted from 0000-03-01, so that leap days come last.
    private static func date(_ daysSince1970: Int64) -> (year: Int, month: Int, day: Int) {
        let days = Int(daysSince1970) + 719_468
        let cycle = days / 146_097
        let dayOfCycle = days % 146_097
        let yearOfCycle = (dayOfCycle - dayOfCycle / 1460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
        let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfCycle + cycle * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
