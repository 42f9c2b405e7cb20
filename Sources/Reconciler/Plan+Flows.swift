internal import Model

extension Plan {
    /// Has the flows forgotten that have to find another way.
    ///
    /// UDP only: a connection of the others ends by itself when nobody answers, and its client begins another.
    mutating func planFlows(_ comparison: Comparison, _ scope: Scope, _ unforgotten: Set<VirtualServer.Identity>) {
        let (desired, observed) = (comparison.desired.virtualServers, comparison.observed.virtualServers)
        var servers: [VirtualServer.Identity: Set<AddressPort>] = [:]
        for identity in unforgotten { servers[identity] = (desired[identity] ?? observed[identity])?.serversInService ?? [] }
        for identity in comparison.virtualServers(in: scope)
        where identity.transport == .udp && Plan.strandsFlows(from: observed[identity], to: desired[identity]) {
            servers[identity] = desired[identity]?.serversInService ?? []
        }
        for (identity, kept) in servers.sorted(by: { $0.key < $1.key }) { add(.forgetFlows(identity, except: kept), in: .forgetFlows) }
    }

    /// Whether there may be flows that go where they no longer should.
    private static func strandsFlows(from observed: VirtualServer?, to desired: VirtualServer?) -> Bool {
        // A flow may be older than the virtual server: it goes where its address led before.
        guard let observed, let desired else { return observed != nil || desired != nil }
        var hadService = false
        for server in observed.realServers.values {
            let wanted = desired.realServers[server.location]
            if wanted == nil || wanted?.weight == 0 && server.weight != 0 { return true }
            hadService = hadService || server.weight != 0
        }
        // While nobody was in service, its clients may have been led elsewhere too.
        return !hadService && !desired.serversInService.isEmpty
    }
}

extension VirtualServer {
    fileprivate var serversInService: Set<AddressPort> {
        Set(realServers.values.lazy.filter { $0.weight > 0 }.map(\.location))
    }
}
