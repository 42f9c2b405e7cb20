public import Model
internal import Reconciler

/// What there is.
extension KernelDataplane {
    public func observe(_ scope: Scope) async throws -> NodeState {
        switch scope {
        case .everything: try await observeEverything()
        case .only(let selection): try await observe(selection)
        }
    }

    private func observeEverything() async throws(DataplaneError) -> NodeState {
        var state = try await observeFrame(withLeftovers: true)
        for identity in state.virtualServers.keys {
            let servers = try ipvs.destinations(of: identity).map { ($0.location, $0.realServer) }
            state.virtualServers[identity]?.realServers = Dictionary(servers, uniquingKeysWith: { first, _ in first })
        }
        return state
    }

    /// Everything but real servers.
    private func observeFrame(withLeftovers: Bool = false) async throws(DataplaneError) -> NodeState {
        let device = try interfaces.device()
        var state = NodeState(virtualServers: try ipvs.headers().compactMap(\.virtualServer), hasDevice: device != nil)
        if let device {
            for address in try interfaces.addresses(on: device).on { state.addresses.updateValue(nil, forKey: address) }
        }
        for expected in catalogue.sets.values { state.sets[expected.name] = try sets.set(expected) }
        for rules in catalogue.rules.values { try await observeRules(rules, withLeftovers: withLeftovers, &state) }
        return state
    }

    private func observe(_ selection: Scope.Selection) async throws(DataplaneError) -> NodeState {
        var state = NodeState(hasDevice: try interfaces.device() != nil)
        if selection.frame { state = try await observeFrame() }
        for identity in selection.virtualServers {
            state.virtualServers[identity] = try ipvs.service(identity)?.virtualServer
        }
        for identity in selection.realServers.subtracting(selection.virtualServers) {
            // Beside a frame, which says what there is and how it is set, only its real servers are new.
            guard let server = selection.frame ? state.virtualServers[identity] : VirtualServer(identity) else { continue }
            state.virtualServers[identity] = try server.with(ipvs.destinations(of: identity).map(\.realServer))
        }
        guard !selection.frame else { return state }
        if !selection.addresses.isEmpty, let device = try interfaces.device() {
            for address in try interfaces.addresses(on: device).on.intersection(selection.addresses) {
                state.addresses.updateValue(nil, forKey: address)
            }
        }
        for name in selection.members.keys {
            guard let expected = catalogue.sets[name] else { continue }
            state.sets[name] = try sets.set(expected)
        }
        for family in selection.rules {
            guard let rules = catalogue.rules[family] else { continue }
            try await observeRules(rules, withLeftovers: true, &state)
        }
        return state
    }

    /// What other modes left is looked for at the start and where rules could not be changed, not in audits: who brings it back while we run is at work, and
    /// fighting that would help nobody.
    private func observeRules(_ catalogue: Rules, withLeftovers: Bool, _ state: inout NodeState) async throws(DataplaneError) {
        let family = catalogue.family
        let saved = try await iptables.saved(family)
        let listing = RulesText.listing(saved, catalogue: catalogue)
        drops.read(listing.dropped, of: family)
        var rules = listing.rules
        if let known = printed[family], known.saved.chains == rules.chains, known.isLikely { rules.chains = known.restored.chains }
        state.rules[family] = rules
        guard withLeftovers else { return }
        var left = LeftoverText.parse(saved, catalogue: catalogue)
        left.hasTable = try nftables.hasTable(Leftovers.tableName, family)
        if !left.isEmpty { state.leftovers[family] = left }
    }

    public func droppedPackets() -> [IPFamily: [Rules.Chain: UInt64]] { drops.totals }

    public func nodeAddresses() async throws -> Set<IPAddress> {
        try interfaces.addresses(on: try interfaces.device()).elsewhere
    }

    public nonisolated func nodeAddressChanges() -> AsyncThrowingStream<Void, any Error> { AddressWatch.changes() }
}

extension VirtualServer {
    fileprivate func with(_ servers: [RealServer]) -> VirtualServer {
        var copy = self
        copy.realServers = Dictionary(servers.map { ($0.location, $0) }, uniquingKeysWith: { first, _ in first })
        return copy
    }
}
