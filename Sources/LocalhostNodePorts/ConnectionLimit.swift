internal import Logging
internal import Synchronization

/// The limit of relayed connections at once, of all node ports together, so that a client can neither exhaust the proxy's descriptors nor
/// flood its log.
final class ConnectionLimit: Sendable {
    private struct State {
        var open = 0
        var refused = 0
        var lastReported: ContinuousClock.Instant?
    }

    private let limit: Int
    private let logger: Logger
    private let state = Mutex(State())

    init(_ limit: Int, logger: Logger) {
        self.limit = limit
        self.logger = logger
    }

    /// Whether another connection is permitted; if so, it counts until `release`.
    func admit() -> Bool {
        let (admitted, refused) = state.withLock { state in
            guard state.open >= limit else {
                state.open += 1
                return (true, nil as Int?)
            }
            state.refused += 1
            guard state.lastReported.map({ $0.duration(to: .now) > ConnectionLimit.pause }) ?? true else { return (false, nil) }
            defer { state.refused = 0 }
            state.lastReported = .now
            return (false, state.refused)
        }
        if let refused {
            logger.warning(
                "Too many connections to node ports on 127.0.0.1; refusing new ones",
                metadata: ["limit": "\(limit)", "refused": "\(refused)"])
        }
        return admitted
    }

    func release() { state.withLock { $0.open -= 1 } }

    /// The minimum time between two log messages; each has the number of connections refused since the last one.
    private static let pause = Duration.seconds(60)
}
