/// A length of time as Go writes it: `30s`, `1m30s`, `500ms`, `1.5h`, `0`.
public struct GoDuration: Hashable, Sendable, CustomStringConvertible {
    public var duration: Duration

    public init(_ duration: Duration) { self.duration = duration }

    /// Nil for anything Go's `time.ParseDuration` refuses, and for more than 292 years.
    public init?(_ text: some StringProtocol) {
        var rest = Substring(text)
        let isNegative = rest.hasPrefix("-")
        if rest.hasPrefix("-") || rest.hasPrefix("+") { rest.removeFirst() }
        if rest == "0" {
            duration = .zero
            return
        }
        guard !rest.isEmpty else { return nil }
        var nanoseconds = 0.0
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { !($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(unit.count)
            guard let value = Double(number), let scale = GoDuration.units[String(unit)] else { return nil }
            nanoseconds += value * scale
        }
        guard nanoseconds < Double(Int64.max) else { return nil }
        duration = .nanoseconds(Int64(isNegative ? -nanoseconds : nanoseconds))
    }

    private static let units: [String: Double] = ["ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9]

    /// As Go prints it: `1m30s`, `500ms`, `0s`.
    public var description: String {
        let (seconds, attoseconds) = duration.components
        if seconds == 0, attoseconds == 0 { return "0s" }
        if seconds == 0 { return GoDuration.fraction(attoseconds) }
        let (hours, minutes, left) = (abs(seconds) / 3600, abs(seconds) / 60 % 60, abs(seconds) % 60)
        var text = seconds < 0 ? "-" : ""
        if hours > 0 { text += "\(hours)h" }
        if hours > 0 || minutes > 0 { text += "\(minutes)m" }
        let milliseconds = abs(attoseconds) / 1_000_000_000_000_000
        return text + (milliseconds == 0 ? "\(left)s" : "\(Double(left) + Double(milliseconds) / 1000)s")
    }

    private static func fraction(_ attoseconds: Int64) -> String {
        let sign = attoseconds < 0 ? "-" : ""
        let nanoseconds = abs(attoseconds) / 1_000_000_000
        if nanoseconds % 1_000_000 == 0 { return "\(sign)\(nanoseconds / 1_000_000)ms" }
        if nanoseconds % 1000 == 0 { return "\(sign)\(nanoseconds / 1000)µs" }
        return "\(sign)\(nanoseconds)ns"
    }
}
