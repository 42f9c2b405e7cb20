internal import Synchronization

/// A metric with all its series.
public protocol MetricFamily: Sendable {
    var description: MetricDescription { get }

    /// One line per sample, without the lines `# HELP` and `# TYPE`.
    var samples: [String] { get }
}

/// The name, type and help text of a metric.
public struct MetricDescription: Hashable, Sendable {
    public var name: String
    public var kind: MetricType
    public var help: String
}

/// A counter or gauge: a number for each set of labels.
public final class NumberMetric: MetricFamily {
    public let description: MetricDescription
    private let series: Mutex<[MetricLabels: Double]>

    private init(_ description: MetricDescription, _ start: [MetricLabels]) {
        self.description = description
        series = Mutex(Dictionary(start.map { ($0, 0) }) { first, _ in first })
    }

    /// - Parameter start: Series that start with 0.
    public static func counter(_ name: String, _ help: String, start: [MetricLabels] = []) -> NumberMetric {
        NumberMetric(MetricDescription(name: name, kind: .counter, help: help), start)
    }

    /// - Parameter start: Series that start with 0.
    public static func gauge(_ name: String, _ help: String, start: [MetricLabels] = []) -> NumberMetric {
        NumberMetric(MetricDescription(name: name, kind: .gauge, help: help), start)
    }

    public func add(_ value: Double = 1, _ labels: MetricLabels = .none) { series.withLock { $0[labels, default: 0] += value } }

    public func set(_ value: Double, _ labels: MetricLabels = .none) { series.withLock { $0[labels] = value } }

    /// Replaces all series.
    public func replace(_ values: [MetricLabels: Double]) { series.withLock { $0 = values } }

    public func value(_ labels: MetricLabels = .none) -> Double? { series.withLock { $0[labels] } }

    public var samples: [String] {
        series.withLock(\.self).map { "\(description.name)\($0.key.text) \(MetricText.number($0.value))" }.sorted()
    }
}

public enum MetricType: String, Hashable, Sendable { case counter, gauge, histogram }
