internal import KernelDataplane
internal import Logging
internal import MetricsRegistry
internal import Model
internal import NodeProxy
internal import StatusServer

/// Joins what the kernel counted with whose it is.
actor TrafficReader {
    private let kernel: IPVSTraffic
    private let synchronizer: Synchronizer
    private let logger: Logger
    private var traffic: ServiceTraffic
    /// The answer that is being made, or was last made.
    private var last: (task: Task<[any MetricFamily], Never>, time: ContinuousClock.Instant)?

    /// Many that ask at once get the same answer.
    private static let lifetime: Duration = .seconds(1)

    init(_ kernel: IPVSTraffic, _ synchronizer: Synchronizer, _ traffic: ServiceTraffic, logger: Logger) {
        self.kernel = kernel
        self.synchronizer = synchronizer
        self.traffic = traffic
        self.logger = logger
    }

    /// None where the kernel cannot be asked, which is logged.
    func families() async -> [any MetricFamily] {
        // One after the other: counters taken over in another order than they were read in would seem to fall.
        if let last {
            let families = await last.task.value
            if last.time.duration(to: .now) < TrafficReader.lifetime { return families }
        }
        return await next().value
    }

    /// Whoever came first while several waited has begun it.
    private func next() -> Task<[any MetricFamily], Never> {
        if let last, last.time.duration(to: .now) < TrafficReader.lifetime { return last.task }
        let task = Task { await read() }
        last = (task, .now)
        return task
    }

    private func read() async -> [any MetricFamily] {
        do {
            // What is desired is not held on to while the kernel is read: a sync in the meantime would have to copy it.
            let counters = try await kernel.virtualServers().compactMap { service in
                service.key.identity.map { (identity: $0, counters: TrafficCounters(service.statistics)) }
            }
            let busiest = traffic.take(counters, of: await synchronizer.desiredVirtualServers)
            let realServers = try await kernel.realServers(of: busiest).mapValues { $0.map(ServiceTraffic.Endpoint.init) }
            return traffic.families(realServers, of: await synchronizer.desiredVirtualServers)
        } catch {
            logger.warning("What Services carry cannot be read", metadata: ["error": "\(error)"])
            return []
        }
    }
}

extension ServiceTraffic.Endpoint {
    fileprivate init(_ destination: IPVSDestination) {
        self.init(
            destination.location, weight: destination.weight, connections: destination.connections,
            counters: TrafficCounters(destination.statistics))
    }
}

extension TrafficCounters {
    fileprivate init(_ statistics: IPVSStatistics) {
        self.init(
            connections: statistics.connections, inPackets: statistics.inPackets, outPackets: statistics.outPackets,
            inBytes: statistics.inBytes, outBytes: statistics.outBytes)
    }
}
