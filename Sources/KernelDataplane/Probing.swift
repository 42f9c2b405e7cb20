public import Logging

/// Runs probes of this node, and retries those that fail with a temporary error.
///
/// "Not found" is a result. A temporary error is none: it never decides anything.
public struct Probing: Sendable {
    /// A probe that is being retried.
    public struct PendingProbe: Hashable, Sendable, CustomStringConvertible {
        /// The name of the probe, such as `iptables`.
        public var probe: String
        public var reason: String
        /// The number of failed attempts.
        public var attempts: Int

        public var description: String { "\(probe): \(reason) (attempt \(attempts))" }
    }

    private var retries: ProbeRetries
    private let logger: Logger
    private let report: @Sendable (PendingProbe?) -> Void
    private let pause: @Sendable (Duration) async throws -> Void

    /// - Parameters:
    ///   - report: called with the pending probe after each failed attempt, and with nil once it succeeds or is given up.
    ///   - pause: waits, or throws if the task is cancelled.
    public init(
        _ retries: ProbeRetries, _ logger: Logger, report: @escaping @Sendable (PendingProbe?) -> Void = { _ in },
        pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.retries = retries
        self.logger = logger
        self.report = report
        self.pause = pause
    }

    /// Returns a copy with a time limit, for optional features.
    public func limited(to limit: Duration) -> Probing {
        var limited = self
        limited.retries.limit = min(limit, retries.limit ?? limit)
        return limited
    }

    /// Returns the result of `body`, which must be safe to repeat.
    ///
    /// Fails with the error of `body` if it is not temporary, with the last error after the time limit, or if the task is cancelled.
    ///
    /// - Parameter probe: the name of the probe in logs and in the health status.
    public func run<Value: ~Copyable>(_ probe: String, _ body: () async throws -> Value) async throws -> Value {
        let start = ContinuousClock.now
        var attempts = 0
        while true {
            do {
                let value = try await body()
                if attempts > 0 {
                    logger.info("Node probe succeeded", metadata: ["probe": "\(probe)", "attempt": "\(attempts + 1)"])
                    report(nil)
                }
                return value
            } catch let error as DataplaneError where error.isTemporary {
                attempts += 1
                // The failure of a cancelled attempt means nothing.
                try Task.checkCancellation()
                try await wait(PendingProbe(probe: probe, reason: error.description, attempts: attempts), error, since: start)
            } catch {
                if attempts > 0 { report(nil) }
                throw error
            }
        }
    }

    private func wait(_ pending: PendingProbe, _ error: DataplaneError, since start: ContinuousClock.Instant) async throws {
        guard let next = retries.pause(after: pending.attempts, elapsed: start.duration(to: .now)) else {
            report(nil)
            throw DataplaneError(error.request, "\(error.reason); gave up after \(pending.attempts) attempts")
        }
        report(pending)
        logger.warning(
            "Node probe failed; retrying",
            metadata: [
                "probe": "\(pending.probe)", "reason": "\(pending.reason)", "attempt": "\(pending.attempts)", "retryIn": "\(next)",
            ])
        try await pause(next)
    }
}

/// The retry policy of probes.
public struct ProbeRetries: Hashable, Sendable {
    /// The time limit; nil for none.
    public var limit: Duration?

    public init(limit: Duration?) { self.limit = limit }

    /// For the proxy, which cannot work without the result; a restart would not help.
    public static let endless = ProbeRetries(limit: nil)
    /// For commands, which users wait for.
    public static let ofCommands = ProbeRetries(limit: .seconds(30))

    private static let firstPause = Duration.milliseconds(500)
    private static let longestPause = Duration.seconds(10)

    /// The time to wait before the next attempt: half a second, then twice as long each time, up to ten seconds.
    ///
    /// - Parameters:
    ///   - attempts: the number of attempts so far; at least 1.
    ///   - elapsed: the time since the first attempt.
    /// - Returns: nil if it should not be retried.
    public func pause(after attempts: Int, elapsed: Duration) -> Duration? {
        let doublings = min(max(attempts, 1) - 1, 16)
        let pause = min(ProbeRetries.firstPause * (1 << doublings), ProbeRetries.longestPause)
        if let limit, elapsed + pause > limit { return nil }
        return pause
    }
}
