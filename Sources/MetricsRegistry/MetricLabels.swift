/// The labels of one series, in the order of their names.
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

    /// With the upper bound of a bucket, which comes last.
    func with(le bound: String) -> MetricLabels { MetricLabels(pairs: pairs + [Pair(name: "le", value: bound)]) }

    /// `{ip_family="IPv4",traffic_policy="external"}`; nothing where there are none.
    var text: String {
        pairs.isEmpty ? "" : "{\(pairs.map { "\($0.name)=\"\(MetricLabels.escaped($0.value))\"" }.joined(separator: ","))}"
    }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
