/// The text exposition format of Prometheus, version 0.0.4.
public enum MetricText {
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"

    /// Returns the text of all families with samples, sorted by name.
    public static func exposition(_ families: [any MetricFamily]) -> String {
        var text = ""
        for family in families.sorted(by: { $0.description.name < $1.description.name }) {
            let samples = family.samples
            guard !samples.isEmpty else { continue }
            let description = family.description
            text += "# HELP \(description.name) \(description.help)\n# TYPE \(description.name) \(description.kind.rawValue)\n"
            for sample in samples { text += sample + "\n" }
        }
        return text
    }

    /// Formats a number with the shortest digits, as Go's `%g` does: `0`, `0.001`, `300`, `1.795399354122354e+09`.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        guard value != 0 else { return "0" }
        let (digits, exponent) = decimal(abs(value))
        let sign = value < 0 ? "-" : ""
        if exponent < -4 || exponent >= 6 {
            let fraction = digits.count > 1 ? "." + digits.dropFirst() : ""
            let magnitude = abs(exponent) < 10 ? "0\(abs(exponent))" : "\(abs(exponent))"
            return "\(sign)\(digits.prefix(1))\(fraction)e\(exponent < 0 ? "-" : "+")\(magnitude)"
        }
        if exponent < 0 { return "\(sign)0.\(String(repeating: "0", count: -exponent - 1))\(digits)" }
        let whole = digits.prefix(exponent + 1)
        let rest = digits.dropFirst(exponent + 1)
        return sign + whole + String(repeating: "0", count: exponent + 1 - whole.count) + (rest.isEmpty ? "" : ".\(rest)")
    }

    /// Returns the shortest digits that parse to the same number, and the exponent of the first digit.
    private static func decimal(_ value: Double) -> (digits: String, exponent: Int) {
        let parts = "\(value)".lowercased().split(separator: "e")
        let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        let whole = mantissa[0]
        let fraction = mantissa.count > 1 && mantissa[1] != "0" ? mantissa[1] : ""
        let all = whole + fraction
        let leading = all.prefix { $0 == "0" }.count
        var digits = all.dropFirst(leading)
        while digits.hasSuffix("0") { digits.removeLast() }
        let shift = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        return (String(digits), whole.count - 1 - leading + shift)
    }
}

/// The labels of a series, sorted by name.
public struct MetricLabels: Hashable, Sendable, ExpressibleByDictionaryLiteral {
    let pairs: [Pair]

    struct Pair: Hashable, Sendable {
        var name: String
        var value: String
    }

    public static let none: MetricLabels = [:]

    public init(dictionaryLiteral elements: (String, String)...) {
        pairs = elements.map { Pair(name: $0.0, value: $0.1) }.sorted { $0.name < $1.name }
    }

    private init(pairs: [Pair]) { self.pairs = pairs }

    /// Returns the labels followed by the upper bound of a bucket.
    func with(le bound: String) -> MetricLabels { MetricLabels(pairs: pairs + [Pair(name: "le", value: bound)]) }

    /// `{ip_family="IPv4",traffic_policy="external"}`; empty without labels.
    var text: String {
        pairs.isEmpty ? "" : "{\(pairs.map { "\($0.name)=\"\(MetricLabels.escaped($0.value))\"" }.joined(separator: ","))}"
    }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
