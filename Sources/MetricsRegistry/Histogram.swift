internal import Synchronization

/// A histogram metric: counts of values by bucket, for each set of labels.
public final class Histogram: MetricFamily {
    private struct Series {
        /// The number of values in each bucket, and at the end of those above the last bound.
        var counts: [UInt64]
        var sum = 0.0

        mutating func add(_ value: Double, to bucket: Int) {
            counts[bucket] += 1
            sum += value
        }
    }

    public let description: MetricDescription
    private let bounds: [Double]
    private let series: Mutex<[MetricLabels: Series]>

    /// - Parameters:
    ///   - bounds: The upper bounds of the buckets, in ascending order.
    ///   - start: Series that exist before the first value.
    public init(_ name: String, _ help: String, bounds: [Double], start: [MetricLabels] = []) {
        description = MetricDescription(name: name, kind: .histogram, help: help)
        self.bounds = bounds
        let empty = Series(counts: Array(repeating: 0, count: bounds.count + 1))
        series = Mutex(Dictionary(start.map { ($0, empty) }) { first, _ in first })
    }

    /// Returns bounds that double from a start.
    public static func exponential(from start: Double, count: Int) -> [Double] {
        (0..<count).map { start * Double(1 << $0) }
    }

    public func observe(_ value: Double, _ labels: MetricLabels = .none) {
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        series.withLock { series in
            series[labels, default: Series(counts: Array(repeating: 0, count: bounds.count + 1))].add(value, to: bucket)
        }
    }

    /// The cumulative buckets of each series in the order of their bounds, then sum and count.
    public var samples: [String] {
        let name = description.name
        return series.withLock(\.self).sorted { $0.key.text < $1.key.text }.flatMap { labels, entry in
            var total: UInt64 = 0
            var lines: [String] = []
            for (bound, count) in zip(bounds.map(MetricText.number) + ["+Inf"], entry.counts) {
                total += count
                lines.append("\(name)_bucket\(labels.with(le: bound).text) \(total)")
            }
            return lines + ["\(name)_sum\(labels.text) \(MetricText.number(entry.sum))", "\(name)_count\(labels.text) \(total)"]
        }
    }
}
