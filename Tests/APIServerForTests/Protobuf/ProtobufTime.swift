import FoundationEssentials

/// A time in protobuf.
struct ProtobufTime {
    var seconds: Int64
    var nanoseconds: UInt64

    /// Parses RFC 3339 in UTC, with or without a fraction of a second.
    init?(_ text: String) {
        // A text that does not parse is not a time.
        let parts = text.dropLast(text.last == "Z" ? 1 : 0).split(separator: ".", maxSplits: 1)
        guard text.last == "Z", let first = parts.first, let date = try? Date("\(first)Z", strategy: .iso8601) else { return nil }
        seconds = Int64(date.timeIntervalSince1970)
        let fraction = (parts.dropFirst().first ?? "").prefix(9)
        guard let digits = UInt64(fraction + String(repeating: "0", count: 9 - fraction.count)) else { return nil }
        nanoseconds = digits
    }
}
