internal import Model

extension PlanBuilder {
    /// Has the flows forgotten that have to find another way.
    ///
    /// UDP only: a connection of the others ends by itself when nobody answers, and its client begins another.
    mutating func planFlows(_ scope: Scope, _ flows: Set<VirtualServer.Identity>) {
        var servers: [VirtualServer.Identity: Set<AddressPort>] = [:]
        for identity in virtualServers(in: scope)
        where identity.transport == .udp && isChanging(identity)
            && PlanBuilder.leavesStaleConntrack(from: observed.virtualServers[identity], to: desired.virtualServers[identity])
        {
            servers[identity] = desired.virtualServers[identity]?.serversInService ?? []
        }
        // Those that could not be forgotten before: no comparison of states shows that it is left to do.
        for identity in flows where servers[identity] == nil {
            servers[identity] = (desired.virtualServers[identity] ?? observed.virtualServers[identity])?.serversInService ?? []
        }
        for (identity, kept) in servers.sorted(by: { $0.key < $1.key }) {
            add(.flushConntrack(identity, except: kept), in: .flushConntrack)
        }
    }

    /// Whether anything of a virtual server is added or removed: one that is not desired stays while removals are suspended.
    private func isChanging(_ identity: VirtualServer.Identity) -> Bool { !suspendsRemovals || desired.virtualServers[identity] != nil }

    /// Whether there may be flows that go where they no longer should.
    private static func leavesStaleConntrack(from observed: VirtualServer?, to desired: VirtualServer?) -> Bool {
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
