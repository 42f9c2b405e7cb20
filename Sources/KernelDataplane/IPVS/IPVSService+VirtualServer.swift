internal import Model

extension IPVSService {
    /// As a virtual server of the model; nil for firewall marks and for protocols a Service cannot have.
    var virtualServer: VirtualServer? {
        guard let identity = key.identity, let scheduler = Scheduler(scheduler) else { return nil }
        return VirtualServer(
            identity, scheduler: scheduler, flags: .init(rawValue: flags & ~IPVSMessages.hashedFlag), timeout: timeout,
            realServers: destinations.map(\.realServer))
    }
}

extension IPVSDestination {
    var realServer: RealServer {
        RealServer(
            location, weight: weight, forwarding: RealServer.Forwarding(rawValue: forwarding) ?? .masquerade,
            upperThreshold: upperThreshold,
            lowerThreshold: lowerThreshold, connections: connections)
    }
}
