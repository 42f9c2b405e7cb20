internal import Model

/// Plans virtual servers and the weights of their real servers.
///
/// A real server that is still desired has the weight of its endpoint. An endpoint that returns while its real server drains (weight 0)
/// gets that weight back at once, or the first step of its slow start. A real server that is no longer desired drains: see `Drain`.
extension PlanBuilder {
    mutating func planVirtualServer(_ desired: VirtualServer, _ observed: VirtualServer?) {
        guard let observed else {
            add(.addVirtualServer(desired.withoutRealServers), in: .serveVirtualServers)
            planAdditions(Array(desired.realServers), to: desired)
            return
        }
        if !desired.hasSameConfiguration(as: observed) { add(.editVirtualServer(desired.withoutRealServers), in: .serveVirtualServers) }
        planRealServers(desired, observed)
    }

    private mutating func planAdditions(_ added: [RealServer], to desired: VirtualServer) {
        for server in desired.scheduler.inOrder(added, rotation) { add(.addRealServer(desired.identity, server), in: .serveVirtualServers) }
    }

    private mutating func planRealServers(_ desired: VirtualServer, _ observed: VirtualServer) {
        let identity = desired.identity
        let slowStart = SlowStart(of: desired, from: observed, now: now)
        // In order of their locations, as `compare` passes them.
        var (added, edited, removed): ([RealServer], [RealServer], [RealServer]) = ([], [], [])
        var isStarting = false
        desired.realServers.compare(with: observed.realServers) { wanted, found in
            guard let wanted else {
                if let found { removed.append(found) }
                return
            }
            let server = slowStart?.step(to: wanted, from: found) ?? wanted
            if slowStart != nil, server.slowStartSince != nil { isStarting = true }
            guard let found else {
                added.append(server)
                return
            }
            if !found.hasSameConfiguration(as: server) || found.slowStartSince != server.slowStartSince { edited.append(server) }
        }
        if isStarting { slowStarting.insert(identity) }
        planAdditions(added, to: desired)
        for server in edited { add(.editRealServer(identity, server), in: .serveVirtualServers) }
        for server in removed { planRemoval(of: server, from: desired) }
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
    /// Returns real servers, sorted by location, in the order in which they are added.
    ///
    /// For schedulers that choose by this order, it is the same on every node, so that all nodes choose alike. For the others it is rotated
    /// by node: the kernel adds each real server at the head of its list (net/netfilter/ipvs/ip_vs_ctl.c `ip_vs_add_dest`), where these
    /// schedulers start, and with one order all nodes would start at the same real server.
    fileprivate func inOrder(_ sorted: [RealServer], _ rotation: UInt64) -> [RealServer] {
        guard !dependsOnOrder, sorted.count > 1 else { return sorted }
        let first = Int(rotation % UInt64(sorted.count))
        return Array(sorted[first...] + sorted[..<first])
    }
}
