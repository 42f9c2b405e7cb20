/// Exponential backoff with jitter, so that nodes that failed together do not retry together.
public struct Backoff: Hashable, Sendable {
    private let minimum: Duration
    private let maximum: Duration
    private var base: Duration
    /// The number of delays since the last `reset`.
    public private(set) var count = 0

    public init(minimum: Duration, maximum: Duration) {
        self.minimum = minimum
        self.maximum = maximum
        base = minimum
    }

    /// Returns the next delay: between `base` and twice `base`, at most the maximum.
    public mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        count += 1
        let ceiling = min(base * 2, maximum)
        base = min(base * 2, maximum)
        return ceiling * Double.random(in: 0.5...1, using: &generator)
    }

    public mutating func reset() {
        base = minimum
        count = 0
    }
}
