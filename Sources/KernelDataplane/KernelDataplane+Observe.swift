public import Model
public import Reconciler

/// Observing the kernel state.
extension KernelDataplane {
    public func observe(_ scope: Scope) async throws -> NodeState {
        switch scope {
        case .everything: return try observeEverything()
        case .only(let selection):
            var nodeAddresses: Set<IPAddress>?
            return try observe(selection, &nodeAddresses)
        }
    }

    public func schedulers(among schedulers: [Scheduler]) throws(DataplaneError) -> Set<Scheduler> {
        try ipvs.schedulers(among: schedulers)
    }

    private func observeEverything() throws(DataplaneError) -> NodeState {
        var state = NodeState(virtualServers: try ipvs.headers().compactMap(\.virtualServer))
        _ = try observeDevice(&state)
        for expected in catalogue.sets.values { state.sets[expected.name] = try sets.set(expected) }
        for identity in state.virtualServers.keys {
            state.virtualServers[identity]?.realServers = RealServers(try ipvs.destinations(of: identity).map(\.realServer))
        }
        return state
    }

    /// - Returns: the addresses of the node on other interfaces; nil without the device.
    private func observeDevice(_ state: inout NodeState) throws(DataplaneError) -> Set<IPAddress>? {
        let link = try interfaces.link()
        (state.hasDevice, state.isDeviceUp) = (link != nil, link?.isUp ?? false)
        guard let device = link?.index else { return nil }
        let addresses = try interfaces.addresses(on: device)
        for address in addresses.on { state.addresses.updateValue(nil, forKey: address) }
        state.routes = try interfaces.routes(over: device)
        return addresses.elsewhere
    }

    /// - Parameter nodeAddresses: set to the addresses of the node if they are read with those of the device.
    func observe(_ selection: Scope.Selection, _ nodeAddresses: inout Set<IPAddress>?) throws(DataplaneError) -> NodeState {
        var state = NodeState()
        if selection.headers { state = NodeState(virtualServers: try ipvs.headers().compactMap(\.virtualServer)) }
        for identity in selection.virtualServers {
            state.virtualServers[identity] = try ipvs.service(identity)?.virtualServer
        }
        for identity in selection.realServers.subtracting(selection.virtualServers) {
            let server = state.virtualServers[identity] ?? VirtualServer(identity)
            state.virtualServers[identity] = try server.with(ipvs.destinations(of: identity).map(\.realServer))
        }
        if selection.device || !selection.addresses.isEmpty {
            nodeAddresses = try observeDevice(&state)
            if !selection.device {
                state.addresses = state.addresses.filter { selection.addresses.contains($0.key) }
                state.routes = state.routes.filter { selection.addresses.contains($0.key) }
            }
        }
        for name in selection.members.keys {
            guard let expected = catalogue.sets[name] else { continue }
            state.sets[name] = try sets.set(expected)
        }
        return state
    }

    public func nodeAddresses() async throws -> NodeAddresses { try interfaces.nodeAddresses(besides: try interfaces.device()) }

    public nonisolated func changes() -> AsyncThrowingStream<[KernelChange], any Error> { watch.changes() }
}

extension VirtualServer {
    fileprivate func with(_ servers: [RealServer]) -> VirtualServer {
        var copy = self
        copy.realServers = RealServers(servers)
        return copy
    }
}
