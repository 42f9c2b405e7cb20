public import Kubernetes
public import Logging
public import ServiceLifecycle

/// A server for operators, at an address set by a flag.
public struct StatusService: ServiceLifecycle.Service {
    private let kind: StatusServerKind
    private let address: ListenAddress
    private let hardFail: Bool
    private let node: String
    private let events: any EventRecorder
    private let retry: Duration
    private let isStandby: @Sendable () -> Bool
    private let logger: Logger
    private let answer: @Sendable (StatusRequest) async -> StatusResponse

    /// - Parameters:
    ///   - hardFail: Whether the program exits if it cannot listen (`--bind-address-hard-fail`).
    ///   - retry: The longest delay before retrying to listen.
    ///   - isStandby: Whether another proxy, which uses the same address, is expected to run.
    public init(
        _ kind: StatusServerKind, at address: ListenAddress, hardFail: Bool, node: String, events: any EventRecorder,
        retry: Duration = .seconds(5), isStandby: @escaping @Sendable () -> Bool = { false }, logger: Logger,
        answer: @escaping @Sendable (StatusRequest) async -> StatusResponse
    ) {
        self.kind = kind
        self.address = address
        self.hardFail = hardFail
        self.node = node
        self.events = events
        self.retry = retry
        self.isStandby = isStandby
        self.logger = logger
        self.answer = answer
    }

    public func run() async throws {
        try await cancelWhenGracefulShutdown { try await serve() }
    }

    private func serve() async throws(ListenError) {
        let listener = HTTPListener(address, connections: OpenConnections(limit: 128), answer: answer)
        var reported: ListenError?
        // The previous holder of the address may be about to end.
        var delay = min(StatusService.firstRetry, retry)
        while !Task.isCancelled {
            do throws(ListenError) {
                try await listener.run { _ in
                    logger.info("Listening", metadata: ["server": "\(kind)", "address": "\(address)"])
                }
            } catch {
                guard !isStandby() else {
                    // Cancellation ends the loop: the proxy is stopping.
                    try? await Task.sleep(for: StatusService.firstRetry)
                    continue
                }
                guard !hardFail else {
                    logger.error("Failed to listen", metadata: ["server": "\(kind)", "error": "\(error)"])
                    events.record(
                        ClusterEvent(
                            .warning, reason: kind.rawValue, action: "StartKubeProxy", regarding: .node(node), note: "\(error)"))
                    throw error
                }
                if reported != error {
                    logger.error("Failed to listen; retrying", metadata: ["server": "\(kind)", "error": "\(error)"])
                }
                reported = error
                // Cancellation ends the loop: the proxy is stopping.
                try? await Task.sleep(for: delay)
                delay = min(delay * 2, retry)
            }
        }
    }

    private static let firstRetry = Duration.milliseconds(100)
}

/// The kind of server; the raw value is the reason of its event if it cannot listen.
public enum StatusServerKind: String, Sendable {
    case healthz = "FailedToStartProxierHealthcheck"
    case metrics = "FailedToStartMetricServer"
    case status = "FailedToStartStatusSocket"
}
