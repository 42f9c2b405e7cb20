internal import Model

extension IPVSService {
    /// As a virtual server of the model; nil for firewall marks and for protocols a Service cannot have.
    var virtualServer: VirtualServer? {
        guard let identity = key.identity, let scheduler = Scheduler(scheduler) else { return nil }
        return VirtualServer(
            identity, scheduler: scheduler, flags: .init(rawValue: flags & ~IPVSMessages.hashedFlag), timeout: timeout,
            affinityPrefix: affinityPrefix, realServers: destinations.map(\.realServer))
    }

    /// 0, which nobody asks for, where the mask of an IPv4 virtual server has holes.
    private var affinityPrefix: UInt8 {
        switch family {
        case .ipv4: (~netmask & (~netmask &+ 1)) == 0 ? UInt8(netmask.nonzeroBitCount) : 0
        case .ipv6: UInt8(clamping: netmask)
        }
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
