public import Model

/// Reads what virtual servers carried, on a socket and a thread of its own: neither a sync nor a scrape waits for the other.
public actor IPVSTraffic {
    private let executor = KernelExecutor()
    public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    private let client: IPVSClient

    public init() throws(DataplaneError) { client = try IPVSClient() }

    /// Every virtual server with its counters and without its real servers: one dump.
    public func virtualServers() throws(DataplaneError) -> [IPVSService] { try client.headers(withStatistics: true) }

    /// The real servers of some virtual servers with their counters: a dump for each; none of one that is gone.
    public func realServers(
        of identities: [VirtualServer.Identity]
    ) throws(DataplaneError) -> [VirtualServer.Identity: [IPVSDestination]] {
        var found: [VirtualServer.Identity: [IPVSDestination]] = [:]
        for identity in identities { found[identity] = try client.destinations(of: IPVSService.Key(identity), withStatistics: true) }
        return found
    }
}
