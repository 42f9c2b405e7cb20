/// A limit on requests: `burst` at once, `rate` a second in the long run (`clientConnection.qps` and `.burst`); knows no clock.
public struct TokenBucket: Hashable, Sendable {
    private let rate: Double
    private let burst: Double
    private var tokens: Double
    private var time: Duration = .zero

    /// As client-go reads them: a rate below 0 is no limit, 0 is 5 a second, a burst of 0 is 10.
    public init(qps: Double, burst: Int) {
        rate = qps == 0 ? 5 : qps
        self.burst = Double(burst <= 0 ? 10 : burst)
        tokens = self.burst
    }

    /// Takes a token at a time since the start; returns how long to wait until it may be used.
    public mutating func take(at now: Duration) -> Duration {
        guard rate > 0 else { return .zero }
        let elapsed = max(.zero, now - time)
        time = max(time, now)
        tokens = min(burst, tokens + elapsed / .seconds(1) * rate) - 1
        return tokens >= 0 ? .zero : .seconds(-tokens / rate)
    }

    /// Takes a token only if it may be used at once.
    public mutating func takeIfAvailable(at now: Duration) -> Bool {
        var taken = self
        guard taken.take(at: now) == .zero else { return false }
        self = taken
        return true
    }
}
