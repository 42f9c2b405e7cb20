public import KernelDataplane
public import Logging
public import MetricsRegistry
public import Model

/// Combines the counters of the kernel with their Services.
public actor TrafficReader {
    private let kernel: IPVSTraffic
    private let desired: @Sendable () async -> [VirtualServer.Identity: VirtualServer]
    private let logger: Logger
    private var traffic: ServiceTraffic
    /// The current or last reading.
    private var last: (task: Task<[any MetricFamily], Never>, time: ContinuousClock.Instant)?
    private var isReading = false

    /// How long a reading is reused for further scrapes.
    private static let lifetime: Duration = .seconds(1)
    /// The maximum time to wait for a reading: other metrics must not wait for a slow kernel.
    private static let timeout: Duration = .seconds(3)

    /// - Parameter desired: Returns the virtual servers that the kernel should currently have.
    public init(
        _ kernel: IPVSTraffic, _ traffic: ServiceTraffic, logger: Logger,
        desired: @escaping @Sendable () async -> [VirtualServer.Identity: VirtualServer]
    ) {
        self.kernel = kernel
        self.desired = desired
        self.traffic = traffic
        self.logger = logger
    }

    /// Records the kernel's counters before the first sync.
    public func begin() async {
        do {
            traffic.begin(try await counters())
        } catch {
            logger.warning("Failed to read Service traffic counters", metadata: ["error": "\(error)"])
        }
    }

    /// Returns the metrics; none if the kernel cannot be read in time, which is logged.
    public func families() async -> [any MetricFamily] {
        let task: Task<[any MetricFamily], Never>
        // One reading at a time: counters recorded in another order than they were read would seem to decrease.
        if let last, isReading || last.time.duration(to: .now) < TrafficReader.lifetime {
            task = last.task
        } else {
            isReading = true
            task = Task { await read() }
            last = (task, .now)
        }
        let (results, continuation) = AsyncStream.makeStream(of: [any MetricFamily]?.self)
        Task { continuation.yield(await task.value) }
        let timer = Task {
            // Cancelled once there is a result.
            try? await Task.sleep(for: TrafficReader.timeout)
            continuation.yield(nil)
        }
        defer { timer.cancel() }
        for await families in results {
            if families == nil {
                logger.warning("Timed out reading Service traffic counters", metadata: ["limit": "\(TrafficReader.timeout)"])
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
            // The desired state is not retained while the kernel is read: a sync in the meantime would have to copy it.
            let counters = try await counters()
            let busiest = traffic.record(counters, of: await desired())
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
