/// A duration in Go's format: `30s`, `1m30s`, `500ms`, `1.5h`, `0`.
public struct GoDuration: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// At most about 292 years.
    public var nanoseconds: Int64

    public static let zero = GoDuration(nanoseconds: 0)

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// Creates a duration, clamped to 292 years.
    public init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let whole = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let sum = whole.partialValue.addingReportingOverflow(attoseconds / 1_000_000_000)
        nanoseconds = whole.overflow || sum.overflow ? (seconds < 0 ? .min : .max) : sum.partialValue
    }

    public static func seconds(_ seconds: Int64) -> GoDuration { GoDuration(nanoseconds: seconds * 1_000_000_000) }

    /// Parses a duration; nil for anything that Go's `time.ParseDuration` refuses.
    public init?(_ text: some StringProtocol) {
        var rest = text.utf8[...]
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
        guard rest.count != 1 || rest.first != UInt8(ascii: "0") else {
            nanoseconds = 0
            return
        }
        guard !rest.isEmpty else { return nil }
        var total: UInt64 = 0
        while !rest.isEmpty {
            guard let part = GoDuration.part(&rest) else { return nil }
            let sum = total.addingReportingOverflow(part)
            guard !sum.overflow, sum.partialValue <= UInt64(Int64.max) + (isNegative ? 1 : 0) else { return nil }
            total = sum.partialValue
        }
        nanoseconds = isNegative ? Int64(truncatingIfNeeded: 0 &- total) : Int64(total)
    }

    /// Parses a number with its unit; returns nanoseconds.
    private static func part<Bytes: Collection<UInt8>>(_ rest: inout Bytes) -> UInt64? where Bytes.SubSequence == Bytes {
        let whole = digits(&rest)
        var fraction: ArraySlice<UInt8> = []
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            fraction = digits(&rest)
        }
        guard !whole.isEmpty || !fraction.isEmpty else { return nil }
        let unit = rest.prefix { $0 != UInt8(ascii: ".") && !isDigit($0) }
        rest = rest.dropFirst(unit.count)
        guard let scale = units[String(decoding: unit, as: UTF8.self)] else { return nil }
        var value: UInt64 = 0
        for digit in whole {
            let shifted = value.multipliedReportingOverflow(by: 10)
            let sum = shifted.partialValue.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
            guard !shifted.overflow, !sum.overflow else { return nil }
            value = sum.partialValue
        }
        let scaled = value.multipliedReportingOverflow(by: scale)
        // An hour has 13 digits of nanoseconds: further digits have no effect.
        var (weight, parts) = (scale, UInt64(0))
        for digit in fraction.prefix(13) {
            // Exact while a power of ten divides the unit; for minutes and hours it does up to the tenth digit.
            parts += weight / 10 * UInt64(digit - UInt8(ascii: "0"))
            weight /= 10
        }
        let sum = scaled.partialValue.addingReportingOverflow(parts)
        return scaled.overflow || sum.overflow ? nil : sum.partialValue
    }

    private static func digits<Bytes: Collection<UInt8>>(_ rest: inout Bytes) -> ArraySlice<UInt8> where Bytes.SubSequence == Bytes {
        let run = rest.prefix(while: isDigit)
        rest = rest.dropFirst(run.count)
        return ArraySlice(run)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static let units: [String: UInt64] = [
        "ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000,
    ]

    public var duration: Duration { .nanoseconds(nanoseconds) }

    /// The duration in Go's format: `1m30s`, `1h0m0s`, `1.5s`, `500ms`, `0s`.
    public var description: String {
        let sign = nanoseconds < 0 ? "-" : ""
        let total = nanoseconds.magnitude
        if total == 0 { return "0s" }
        if total < 1000 { return "\(sign)\(total)ns" }
        if total < 1_000_000 { return sign + GoDuration.decimal(total, 1000) + "µs" }
        if total < 1_000_000_000 { return sign + GoDuration.decimal(total, 1_000_000) + "ms" }
        let minutes = total / 60_000_000_000
        let seconds = GoDuration.decimal(total % 60_000_000_000, 1_000_000_000) + "s"
        if minutes == 0 { return sign + seconds }
        return sign + (minutes < 60 ? "" : "\(minutes / 60)h") + "\(minutes % 60)m" + seconds
    }

    /// Formats a quotient with as many decimal places as needed.
    private static func decimal(_ value: UInt64, _ unit: UInt64) -> String {
        let (whole, rest) = value.quotientAndRemainder(dividingBy: unit)
        if rest == 0 { return "\(whole)" }
        // Adding the unit, a power of ten, keeps the leading zeros of the rest.
        var digits = Substring("\(unit + rest)".dropFirst())
        while digits.last == "0" { digits.removeLast() }
        return "\(whole).\(digits)"
    }

    public static func < (lhs: GoDuration, rhs: GoDuration) -> Bool { lhs.nanoseconds < rhs.nanoseconds }
}
