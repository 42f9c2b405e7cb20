public import KernelDataplane
public import Logging
public import MetricsRegistry
public import Model

/// Joins what the kernel counted with whose it is.
public actor TrafficReader {
    private let kernel: IPVSTraffic
    private let desired: @Sendable () async -> [VirtualServer.Identity: VirtualServer]
    private let logger: Logger
    private var traffic: ServiceTraffic
    /// The answer that is being made, or was made last.
    private var last: (task: Task<[any MetricFamily], Never>, time: ContinuousClock.Instant)?
    private var isReading = false

    /// Many that ask at once get the same answer.
    private static let lifetime: Duration = .seconds(1)
    /// Everything else that is asked for must not wait for a kernel that is slow.
    private static let patience: Duration = .seconds(3)

    /// - Parameter desired: what the kernel is to hold of Services, at the moment.
    public init(
        _ kernel: IPVSTraffic, _ traffic: ServiceTraffic, logger: Logger,
        desired: @escaping @Sendable () async -> [VirtualServer.Identity: VirtualServer]
    ) {
        self.kernel = kernel
        self.desired = desired
        self.traffic = traffic
        self.logger = logger
    }

    /// Notes what the kernel has counted before this program does anything.
    public func begin() async {
        do {
            traffic.begin(try await counters())
        } catch {
            logger.warning("Failed to read Service traffic counters", metadata: ["error": "\(error)"])
        }
    }

    /// None where the kernel cannot be asked or does not answer in time, which is logged.
    public func families() async -> [any MetricFamily] {
        let task: Task<[any MetricFamily], Never>
        // One look after the other: counters that are taken over in another order than they were read in would seem to fall.
        if let last, isReading || last.time.duration(to: .now) < TrafficReader.lifetime {
            task = last.task
        } else {
            isReading = true
            task = Task { await read() }
            last = (task, .now)
        }
        let (answers, answer) = AsyncStream.makeStream(of: [any MetricFamily]?.self)
        Task { answer.yield(await task.value) }
        let alarm = Task {
            // Cut short once there is an answer.
            try? await Task.sleep(for: TrafficReader.patience)
            answer.yield(nil)
        }
        defer { alarm.cancel() }
        for await families in answers {
            if families == nil {
                logger.warning("Timed out reading Service traffic counters", metadata: ["limit": "\(TrafficReader.patience)"])
            }
            return families ?? []
        }
        return []
    }

    private func counters() async throws -> [(identity: VirtualServer.Identity, counters: TrafficCounters)] {
        try await kernel.virtualServers().compactMap { service in
            service.key.identity.map { (identity: $0, counters: TrafficCounters(service.statistics)) }
        }
    }

    private func read() async -> [any MetricFamily] {
        defer { isReading = false }
        do {
            // What is desired is not held on to while the kernel is read: a sync in the meantime would have to copy it.
            let counters = try await counters()
            let busiest = traffic.take(counters, of: await desired())
            let realServers = try await kernel.realServers(of: busiest).mapValues { $0.map(ServiceTraffic.Endpoint.init) }
            return traffic.families(realServers, of: await desired())
        } catch {
            logger.warning("Failed to read Service traffic counters", metadata: ["error": "\(error)"])
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
