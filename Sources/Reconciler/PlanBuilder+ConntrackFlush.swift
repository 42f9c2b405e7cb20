internal import Model

extension PlanBuilder {
    /// Plans to flush the conntrack entries of flows that must reach another destination.
    ///
    /// UDP only: a TCP or SCTP connection fails when it is no longer answered, and its client opens a new one.
    mutating func planConntrackFlushes(_ scope: Scope, _ flows: Set<VirtualServer.Identity>) {
        var servers: [VirtualServer.Identity: Set<AddressPort>] = [:]
        for identity in virtualServers(in: scope)
        where identity.transport == .udp && isChanging(identity)
            && PlanBuilder.leavesStaleConntrack(from: observed.virtualServers[identity], to: desired.virtualServers[identity])
        {
            servers[identity] = desired.virtualServers[identity]?.serversInService ?? []
        }
        // Flushes that failed or were deferred earlier: comparing the states does not show that they are still due.
        for identity in flows where servers[identity] == nil {
            servers[identity] = (desired.virtualServers[identity] ?? observed.virtualServers[identity])?.serversInService ?? []
        }
        for (identity, kept) in servers.sorted(by: { $0.key < $1.key }) {
            add(.flushConntrack(identity, except: kept), in: .flushConntrack)
        }
    }

    /// Whether the plan may change a virtual server: one that is not desired stays while removals are suspended.
    private func isChanging(_ identity: VirtualServer.Identity) -> Bool { !suspendsRemovals || desired.virtualServers[identity] != nil }

    /// Whether conntrack entries may exist whose destination is no longer correct.
    private static func leavesStaleConntrack(from observed: VirtualServer?, to desired: VirtualServer?) -> Bool {
        // A flow may be older than the virtual server, and then has the destination that its address led to before.
        guard let observed, let desired else { return observed != nil || desired != nil }
        var hadService = false
        for server in observed.realServers {
            let wanted = desired.realServers[server.location]
            if wanted == nil || wanted?.weight == 0 && server.weight != 0 { return true }
            hadService = hadService || server.weight != 0
        }
        // Without a real server in service, traffic to the address may have had another destination too.
        return !hadService && !desired.serversInService.isEmpty
    }
}

extension VirtualServer {
    fileprivate var serversInService: Set<AddressPort> {
        Set(realServers.lazy.filter { $0.weight > 0 }.map(\.location))
    }
}
