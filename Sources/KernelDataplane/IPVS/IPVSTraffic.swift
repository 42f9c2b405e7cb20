public import Model

/// Reads what virtual servers carried, on a socket and a thread of its own: a sync need not wait for a scrape to end. In the kernel the two take turns.
public actor IPVSTraffic {
    private let executor = KernelExecutor()
    public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    private let client: IPVSClient

    public init() throws(DataplaneError) { client = try IPVSClient() }

    /// Every virtual server with its counters and without its real servers: one dump.
    public func virtualServers() throws(DataplaneError) -> [IPVSService] { try client.headers(withStatistics: true) }

    /// The real servers of some virtual servers with their counters: a dump for each; none of one that is gone.
    ///
    /// - Returns: of the first ones only, where there is too much of them: users decide how many addresses and endpoints a Service has.
    public func realServers(
        of identities: [VirtualServer.Identity]
    ) throws(DataplaneError) -> [VirtualServer.Identity: [IPVSDestination]] {
        var found: [VirtualServer.Identity: [IPVSDestination]] = [:]
        var count = 0
        for identity in identities where count < IPVSTraffic.most {
            let destinations = try client.destinations(of: IPVSService.Key(identity), withStatistics: true)
            found[identity] = destinations
            count += 1 + destinations.count
        }
        return found
    }

    /// How many virtual and real servers are read at most.
    private static let most = 1 << 16
}
