internal import Synchronization

/// How values spread over buckets, for each set of labels.
public final class Histogram: MetricFamily {
    private struct Series {
        /// How many fell into each bucket, and after the last one how many were larger.
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
    ///   - bounds: upper bounds of the buckets, rising.
    ///   - start: series that are there before anything happened.
    public init(_ name: String, _ help: String, bounds: [Double], start: [MetricLabels] = []) {
        description = MetricDescription(name: name, kind: .histogram, help: help)
        self.bounds = bounds
        let empty = Series(counts: Array(repeating: 0, count: bounds.count + 1))
        series = Mutex(Dictionary(start.map { ($0, empty) }) { first, _ in first })
    }

    /// Powers of two, from a start on.
    public static func exponential(from start: Double, count: Int) -> [Double] {
        (0..<count).map { start * Double(1 << $0) }
    }

    public func observe(_ value: Double, _ labels: MetricLabels = .none) {
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        series.withLock { series in
            series[labels, default: Series(counts: Array(repeating: 0, count: bounds.count + 1))].add(value, to: bucket)
        }
    }

    /// Buckets of a series in the order of their bounds, each with all below it, then sum and count.
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
