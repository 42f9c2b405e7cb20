internal import Model

/// Plans virtual servers and the weights of their real servers.
///
/// A real server that is still desired has the weight of its endpoint. An endpoint that returns while its real server drains (weight 0)
/// gets that weight back at once, or the first step of its slow start. A real server that is no longer desired drains: see `Drain`.
extension PlanBuilder {
    mutating func planVirtualServer(_ desired: VirtualServer, _ observed: VirtualServer?) {
        if let observed {
            if !desired.hasSameConfiguration(as: observed) { add(.editVirtualServer(desired.withoutRealServers), in: .serveVirtualServers) }
        } else {
            add(.addVirtualServer(desired.withoutRealServers), in: .serveVirtualServers)
        }
        planDesiredRealServers(desired, observed)
        guard let observed else { return }
        let removed = observed.realServers.values.filter { desired.realServers[$0.location] == nil }
        for server in removed.sorted(by: { $0.location < $1.location }) { planRemoval(of: server, from: desired) }
    }

    private mutating func planDesiredRealServers(_ desired: VirtualServer, _ observed: VirtualServer?) {
        let identity = desired.identity
        let slowStart = SlowStart(of: desired, from: observed, now: now)
        var (added, edited): ([RealServer], [RealServer]) = ([], [])
        for wanted in desired.realServers.values {
            let found = observed?.realServers[wanted.location]
            let server = slowStart?.step(to: wanted, from: found) ?? wanted
            if server.slowStartSince != nil { slowStarting.insert(identity) }
            guard let found else {
                added.append(server)
                continue
            }
            if !found.hasSameConfiguration(as: server) || found.slowStartSince != server.slowStartSince { edited.append(server) }
        }
        for server in desired.scheduler.inOrder(added, rotation) { add(.addRealServer(identity, server), in: .serveVirtualServers) }
        for server in edited.sorted(by: { $0.location < $1.location }) { add(.editRealServer(identity, server), in: .serveVirtualServers) }
    }

    private mutating func planRemoval(of server: RealServer, from desired: VirtualServer) {
        let identity = desired.identity
        let timeout = desired.drainTimeout(otherwise: drainTimeout)
        switch Drain(server, of: identity.transport, timeout: timeout, now: now) {
        case .start(let drained):
            add(.editRealServer(identity, drained), in: .drain)
            draining.insert(identity)
        case .inProgress: draining.insert(identity)
        case .finished: add(.deleteRealServer(identity, server.location), in: .deleteRealServers)
        }
    }
}

extension Scheduler {
    /// Returns real servers in the order in which they are added.
    ///
    /// For schedulers that choose by this order, it is the same on every node, so that all nodes choose alike. For the others it is rotated
    /// by node: the kernel adds each real server at the head of its list (net/netfilter/ipvs/ip_vs_ctl.c `ip_vs_add_dest`), where these
    /// schedulers start, and with one order all nodes would start at the same real server.
    fileprivate func inOrder(_ servers: [RealServer], _ rotation: UInt64) -> [RealServer] {
        let sorted = servers.sorted { $0.location < $1.location }
        guard !dependsOnOrder, sorted.count > 1 else { return sorted }
        let first = Int(rotation % UInt64(sorted.count))
        return Array(sorted[first...] + sorted[..<first])
    }
}
