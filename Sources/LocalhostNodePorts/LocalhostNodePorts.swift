public import Kubernetes
public import Logging
public import Model
internal import NIOCore
public import ServiceLifecycle
internal import Synchronization

/// Serves TCP node ports on 127.0.0.1, by relaying connections to the same port of an address of the node.
///
/// IPVS cannot: the kernel does not send packets with a loopback source address to a pod. Behind the relay, connections are handled like
/// any of the node itself; session affinity sees all clients of 127.0.0.1 as one client. The relay listens only on 127.0.0.1. A connection
/// outlives its node port, as without the relay, but not this process.
public final class LocalhostNodePorts: ServiceLifecycle.Service {
    let events: any EventRecorder
    let logger: Logger
    private let limit: ConnectionLimit
    private let retryInterval: Duration
    private let wanted = Mutex(NodePortTargets())
    private let wakeups: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    public static let connectionLimit = 1000

    /// - Parameters:
    ///   - limit: the maximum number of connections at once, of all node ports together.
    ///   - retryInterval: the interval between two attempts to listen on a port.
    public init(
        limit: Int = LocalhostNodePorts.connectionLimit, retryInterval: Duration = .seconds(5), events: any EventRecorder, logger: Logger
    ) {
        self.limit = ConnectionLimit(limit, logger: logger)
        self.retryInterval = retryInterval
        self.events = events
        self.logger = logger
        (wakeups, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Sets the desired state; `run` opens and closes listeners accordingly.
    ///
    /// - Parameter scope: the parts that may differ from before.
    public func follow(_ scope: Scope, of desired: NodeState) {
        if wanted.withLock({ $0.update(scope, of: desired) }) { wake.yield() }
    }

    /// Listens until the service group shuts down.
    public func run() async throws {
        await cancelWhenGracefulShutdown { await self.listen() }
    }

    private func listen() async {
        var listeners: [UInt16: NodePortListener] = [:]
        var failures: [UInt16: ListenerFailure] = [:]
        await withDiscardingTaskGroup { group in
            for await _ in wakeups {
                let targets = wanted.withLock { $0.targets }
                for (port, listener) in listeners where targets[port] == nil || !listener.isListening {
                    await listener.close()
                    listeners[port] = nil
                }
                failures = await open(targets, &listeners, previousFailures: failures)
                guard !failures.isEmpty else { continue }
                group.addTask {
                    // Cancellation means that the program ends.
                    try? await Task.sleep(for: self.retryInterval)
                    self.wake.yield()
                }
            }
            group.cancelAll()
        }
        for listener in listeners.values { await listener.close() }
    }

    /// Opens the missing listeners; reports new failures, and returns all of them.
    private func open(
        _ targets: [UInt16: NodePortTarget], _ listeners: inout [UInt16: NodePortListener], previousFailures: [UInt16: ListenerFailure]
    ) async -> [UInt16: ListenerFailure] {
        var failures: [UInt16: ListenerFailure] = [:]
        for (port, target) in targets.sorted(by: { $0.key < $1.key }) where listeners[port] == nil {
            do {
                listeners[port] = try await NodePortListener(port: port, limit: limit, logger: logger) { [self] in
                    wanted.withLock { $0.targets[port]?.location }
                }
                logListener(port, target, after: previousFailures[port])
            } catch {
                let failure = ListenerFailure(origin: target.origin, reason: LocalhostNodePorts.reason(error))
                failures[port] = failure
                if previousFailures[port] != failure { report(port, failure) }
            }
        }
        return failures
    }

    private static func reason(_ error: any Error) -> String {
        // The description of a failed system call is sufficient.
        (error as? IOError).map { $0.description } ?? "\(error)"
    }
}

/// Logs and Events.
extension LocalhostNodePorts {
    func report(_ port: UInt16, _ failure: ListenerFailure) {
        logger.error(
            "Failed to serve node port on 127.0.0.1; retrying",
            metadata: ["service": "\(failure.origin)", "port": "\(port)", "error": "\(failure.reason)"])
        events.record(
            ClusterEvent(
                .warning, reason: "LocalhostNodePortFailed", action: "ListenOnLocalhost", regarding: .service(failure.origin.service),
                note: "Failed to serve node port \(port) on 127.0.0.1; retrying: \(failure.reason)"))
    }

    func logListener(_ port: UInt16, _ target: NodePortTarget, after failure: ListenerFailure?) {
        let metadata: Logger.Metadata = ["service": "\(target.origin)", "port": "\(port)", "target": "\(target.location)"]
        logger.log(
            level: failure == nil ? .debug : .notice,
            failure == nil ? "Serving node port on 127.0.0.1" : "Serving node port on 127.0.0.1 after failure", metadata: metadata)
    }
}

/// The reason why a port has no listener.
struct ListenerFailure: Hashable {
    var origin: ServiceOrigin
    var reason: String
}
