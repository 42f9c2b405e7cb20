/// A rate limit: `burst` requests at once, `rate` per second on average (`clientConnection.qps` and `.burst`). The caller supplies the
/// time.
public struct TokenBucket: Hashable, Sendable {
    private let rate: Double
    private let burst: Double
    private var tokens: Double
    private var time: Duration = .zero

    /// Interprets the values as client-go does: a negative rate is no limit, 0 is 5 per second, and a burst of 0 is 10.
    public init(qps: Double, burst: Int) {
        rate = qps == 0 ? 5 : qps
        self.burst = Double(burst <= 0 ? 10 : burst)
        tokens = self.burst
    }

    /// Takes a token at a time since the start; returns how long to wait before using it.
    public mutating func take(at now: Duration) -> Duration {
        guard rate > 0 else { return .zero }
        let elapsed = max(.zero, now - time)
        time = max(time, now)
        tokens = min(burst, tokens + elapsed / .seconds(1) * rate) - 1
        return tokens >= 0 ? .zero : .seconds(-tokens / rate)
    }

    /// Takes a token only if it can be used at once.
    public mutating func takeIfAvailable(at now: Duration) -> Bool {
        var taken = self
        guard taken.take(at: now) == .zero else { return false }
        self = taken
        return true
    }
}
