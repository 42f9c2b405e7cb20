public import Logging

/// Asks about this node, and asks again what could not be answered for now.
///
/// "Not there" is an answer. An error that is temporary is none: it never decides anything.
public struct Probing: Sendable {
    /// A question that waits for its answer.
    public struct Unanswered: Hashable, Sendable, CustomStringConvertible {
        /// What is asked about, such as `iptables`.
        public var probe: String
        public var reason: String
        /// How often it was asked.
        public var attempts: Int

        public var description: String { "\(probe): \(reason) (attempt \(attempts))" }
    }

    private var retries: ProbeRetries
    private let logger: Logger
    private let report: @Sendable (Unanswered?) -> Void
    private let pause: @Sendable (Duration) async throws -> Void

    /// - Parameters:
    ///   - report: is given the question that waits after each attempt in vain, and nil once it is answered or given up.
    ///   - pause: waits, or throws where the task is cancelled.
    public init(
        _ retries: ProbeRetries, _ logger: Logger, report: @escaping @Sendable (Unanswered?) -> Void = { _ in },
        pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.retries = retries
        self.logger = logger
        self.report = report
        self.pause = pause
    }

    /// The same for what the program can do without.
    public func limited(to limit: Duration) -> Probing {
        var limited = self
        limited.retries.limit = min(limit, retries.limit ?? limit)
        return limited
    }

    /// The answer to a question; what it does besides must do no harm when it is done again.
    ///
    /// Fails with what `ask` fails with, where that is not temporary; with the last error, where patience ends; or because the task is cancelled.
    ///
    /// - Parameter probe: names the question in the log and to those who ask for the program's health.
    public func answer<Fact: ~Copyable>(_ probe: String, _ ask: () async throws -> Fact) async throws -> Fact {
        let start = ContinuousClock.now
        var attempts = 0
        while true {
            do {
                let fact = try await ask()
                if attempts > 0 {
                    logger.info("Node probe succeeded", metadata: ["probe": "\(probe)", "attempt": "\(attempts + 1)"])
                    report(nil)
                }
                return fact
            } catch let error as DataplaneError where error.isTemporary {
                attempts += 1
                // An attempt that was cut short says nothing, not even that it failed.
                try Task.checkCancellation()
                try await wait(Unanswered(probe: probe, reason: error.description, attempts: attempts), error, since: start)
            } catch {
                if attempts > 0 { report(nil) }
                throw error
            }
        }
    }

    private func wait(_ unanswered: Unanswered, _ error: DataplaneError, since start: ContinuousClock.Instant) async throws {
        guard let next = retries.pause(after: unanswered.attempts, elapsed: start.duration(to: .now)) else {
            report(nil)
            throw DataplaneError(error.request, "\(error.reason); gave up after \(unanswered.attempts) attempts")
        }
        report(unanswered)
        logger.warning(
            "Node probe failed; retrying",
            metadata: [
                "probe": "\(unanswered.probe)", "reason": "\(unanswered.reason)", "attempt": "\(unanswered.attempts)", "retryIn": "\(next)",
            ])
        try await pause(next)
    }
}

/// How often a question that was not answered is asked again, and for how long.
public struct ProbeRetries: Hashable, Sendable {
    /// Nil for as long as the program runs.
    public var limit: Duration?

    public init(limit: Duration?) { self.limit = limit }

    /// Of the proxy, which is of no use without the answer, and of no more use after a restart.
    public static let endless = ProbeRetries(limit: nil)
    /// Of a command, which somebody waits for.
    public static let ofCommands = ProbeRetries(limit: .seconds(30))

    private static let firstPause = Duration.milliseconds(500)
    private static let longestPause = Duration.seconds(10)

    /// How long to wait before the next attempt: half a second, then twice as long each time up to ten seconds.
    ///
    /// - Parameters:
    ///   - attempts: how often the question was asked; at least once.
    ///   - elapsed: time since it was asked first.
    /// - Returns: nil if it should not be asked again.
    public func pause(after attempts: Int, elapsed: Duration) -> Duration? {
        let doublings = min(max(attempts, 1) - 1, 16)
        let pause = min(ProbeRetries.firstPause * (1 << doublings), ProbeRetries.longestPause)
        if let limit, elapsed + pause > limit { return nil }
        return pause
    }
}
