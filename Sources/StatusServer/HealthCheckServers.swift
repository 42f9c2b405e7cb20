public import Kubernetes
public import Logging
public import Model
public import ServiceLifecycle
public import SyncLoop
internal import Translation

/// The servers at health check node ports (`Service.spec.healthCheckNodePort`), according to Services and the node's addresses.
///
/// As they are exposed to the network, they are cheap: all share one limit of connections, and a response only needs one number.
public struct HealthCheckServers: ServiceLifecycle.Service {
    private let board: StatusBoard
    private let events: any EventRecorder
    private let logger: Logger
    private let connections = OpenConnections(limit: 512)
    private let retry: Duration

    /// - Parameter retry: The delay before retrying to open a port.
    public init(_ board: StatusBoard, events: any EventRecorder, retry: Duration = .seconds(5), logger: Logger) {
        self.board = board
        self.events = events
        self.retry = retry
        self.logger = logger
    }

    public func run() async throws {
        await cancelWhenGracefulShutdown { await withDiscardingTaskGroup { await serve(&$0) } }
    }

    /// A port that is open or being opened.
    private struct Server {
        var subject: HealthCheckListeners.Subject
        /// Finished to stop the server.
        var stop: AsyncStream<Void>.Continuation
        /// Finishes when the server has stopped.
        var end: AsyncStream<Void>
    }

    private func serve(_ group: inout DiscardingTaskGroup) async {
        var open: [ListenAddress: Server] = [:]
        var reported: [NamespacedName: ListenAddress] = [:]
        var last: ProxyStatus?
        for await _ in board.changes {
            let status = board.status
            // After most syncs, these share their storage with the last ones, so that comparing them is cheap.
            if let last, last.healthChecks == status.healthChecks, last.healthCheckAddresses == status.healthCheckAddresses { continue }
            last = status
            let wanted = HealthCheckListeners(status, current: open.mapValues(\.subject))
            let ending = open.filter { wanted.subjects[$0.key] != $0.value.subject }
            for server in ending.values { server.stop.finish() }
            for (address, server) in ending {
                // Only then is the port free for the next server.
                for await _ in server.end {}
                open[address] = nil
            }
            for (address, subject) in wanted.subjects where open[address] == nil {
                open[address] = start(address, subject, in: &group)
            }
            for (service, address) in wanted.conflicts where reported[service] != address {
                report(service, ListenError(address: address, reason: "already used by another Service"), isRetried: false)
            }
            reported = wanted.conflicts
        }
        group.cancelAll()
    }

    private func start(
        _ address: ListenAddress, _ subject: HealthCheckListeners.Subject, in group: inout DiscardingTaskGroup
    ) -> Server {
        let (stopping, stop) = AsyncStream.makeStream(of: Void.self)
        let (end, ended) = AsyncStream.makeStream(of: Void.self)
        group.addTask {
            await withDiscardingTaskGroup { inner in
                inner.addTask { await keepOpen(address, subject) }
                for await _ in stopping {}
                inner.cancelAll()
            }
            ended.finish()
        }
        return Server(subject: subject, stop: stop, end: end)
    }

    /// Keeps a port open until cancelled; reports a failure once, and retries.
    private func keepOpen(_ address: ListenAddress, _ subject: HealthCheckListeners.Subject) async {
        let listener = HTTPListener(address, connections: connections) { _ in answer(subject) }
        var reported: ListenError?
        while !Task.isCancelled {
            do throws(ListenError) {
                try await listener.run { _ in
                    logger.info(
                        "Opened health check node port", metadata: ["service": "\(subject.service)", "address": "\(address)"])
                }
            } catch {
                if reported != error { report(subject.service, error, isRetried: true) }
                reported = error
                // Cancellation ends the loop: the port is no longer needed.
                try? await Task.sleep(for: retry)
            }
        }
    }

    private func answer(_ subject: HealthCheckListeners.Subject) -> StatusResponse {
        let count = board.status.healthChecks[subject.service]?.localEndpoints[subject.family] ?? 0
        return HealthCheckAnswer.response(
            subject.service, localEndpoints: count, isProxyHealthy: board.health.isHealthy(at: .now))
    }

    /// Reports a failure with kube-proxy's event.
    ///
    /// - Parameter isRetried: false if only a change of the Services can help.
    private func report(_ service: NamespacedName, _ error: ListenError, isRetried: Bool) {
        logger.error(
            isRetried ? "Failed to open health check node port; retrying" : "Health check node port conflict",
            metadata: ["service": "\(service)", "error": "\(error)"])
        events.record(
            ClusterEvent(
                .warning, reason: "FailedToStartServiceHealthcheck", action: "Listen", regarding: .service(service),
                note: "Failed to open health check node port of \(service)\(isRetried ? "; retrying" : ""): \(error)"))
    }
}

/// The addresses and health check node ports to listen on, with their Services.
public struct HealthCheckListeners: Hashable, Sendable {
    /// The Service and family of a listener.
    public struct Subject: Hashable, Sendable {
        public var service: NamespacedName
        /// The family of clients, and of the endpoints that are reported to them.
        public var family: IPFamily
    }

    public var subjects: [ListenAddress: Subject] = [:]
    /// Services whose port is already used by another Service.
    public var conflicts: [NamespacedName: ListenAddress] = [:]

    /// - Parameter current: The open listeners; in conflicts, their Services keep the port.
    public init(_ status: ProxyStatus, current: [ListenAddress: Subject] = [:]) {
        for (service, check) in status.healthChecks.sorted(by: { $0.key < $1.key }) {
            for family in check.localEndpoints.keys {
                for address in HealthCheckListeners.addresses(status, family, check.port) {
                    claim(address, Subject(service: service, family: family), current)
                }
            }
        }
    }

    private mutating func claim(_ address: ListenAddress, _ subject: Subject, _ current: [ListenAddress: Subject]) {
        guard let holder = subjects[address] else {
            subjects[address] = subject
            return
        }
        let isCurrent = current[address] == subject
        if isCurrent { subjects[address] = subject }
        conflicts[isCurrent ? holder.service : subject.service] = address
    }

    private static func addresses(_ status: ProxyStatus, _ family: IPFamily, _ port: UInt16) -> [ListenAddress] {
        switch status.healthCheckAddresses[family] {
        case .all: [ListenAddress(.all(family), port: port)]
        case .only(let addresses): addresses.map { ListenAddress(.address($0), port: port) }
        case nil: []
        }
    }
}

/// The response of a health check node port.
enum HealthCheckAnswer {
    /// Returns 200 if this node has endpoints of the Service and the proxy is healthy, with the number of endpoints as weight.
    static func response(_ service: NamespacedName, localEndpoints: Int, isProxyHealthy: Bool) -> StatusResponse {
        let body = """
            {
            \t"service": {
            \t\t"namespace": "\(service.namespace)",
            \t\t"name": "\(service.name)"
            \t},
            \t"localEndpoints": \(localEndpoints),
            \t"serviceProxyHealthy": \(isProxyHealthy)
            }
            """
        return .of(
            localEndpoints > 0 && isProxyHealthy ? 200 : 503, type: "application/json", body,
            more: [.init("X-Load-Balancing-Endpoint-Weight", "\(localEndpoints)")])
    }
}
