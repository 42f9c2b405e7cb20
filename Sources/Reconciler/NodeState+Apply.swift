public import Model

extension NodeState {
    /// Updates the state as the kernel does when the operations succeed.
    ///
    /// Real servers of one virtual server that follow each other are changed together: the cost of that depends on the number of all its
    /// real servers.
    public mutating func apply(_ operations: [Operation]) {
        var changes: [AddressPort: RealServer?] = [:]
        var changed: VirtualServer.Identity?
        func applyChanges(_ state: inout NodeState) {
            guard let identity = changed else { return }
            state.virtualServers[identity]?.realServers.apply(changes)
            changes.removeAll(keepingCapacity: true)
            changed = nil
        }
        for operation in operations {
            guard let (identity, location, server) = operation.realServer else {
                applyChanges(&self)
                apply(operation)
                continue
            }
            if changed != identity { applyChanges(&self) }
            changed = identity
            changes.updateValue(server, forKey: location)
        }
        applyChanges(&self)
    }

    /// Updates the state as the kernel does when `operation` succeeds.
    public mutating func apply(_ operation: Operation) {
        switch operation {
        case .createSet(let set), .replaceSet(let set): sets[set.name] = set
        case .addMember(let name, let member, let origin): sets[name]?.members.updateValue(origin, forKey: member)
        case .removeMember(let name, let member): sets[name]?.members.removeValue(forKey: member)
        case .destroySet(let name): sets[name] = nil
        case .restoreRules(let rules, _): self.rules[rules.family] = rules
        case .removeRules(let removed):
            rulesInOtherBackends.removeAll { $0.backend == removed.backend && $0.family == removed.family }
        case .removeLeftoverRules(let left):
            leftovers[left.family]?.chains.subtract(left.chains)
            leftovers[left.family]?.jumps.removeAll(where: left.jumps.contains)
            if leftovers[left.family]?.isEmpty ?? false { leftovers[left.family] = nil }
        case .deleteLeftoverTable(let family):
            leftovers[family]?.hasTable = false
            if leftovers[family]?.isEmpty ?? false { leftovers[family] = nil }
        case .createDevice: hasDevice = true
        case .deleteDevice:
            (hasDevice, isDeviceUp) = (false, false)
            (addresses, routes) = ([:], [:])
        case .setDeviceUp: isDeviceUp = true
        case .bind(let address, let origin): addresses.updateValue(origin, forKey: address)
        case .unbind(let address): addresses.removeValue(forKey: address)
        case .addRoute(let address, let route): routes[address] = route
        case .removeRoute(let address): routes[address] = nil
        case .addVirtualServer(let server):
            virtualServers[server.identity] = server
            virtualServers[server.identity]?.realServers = []
        case .editVirtualServer(let server):
            let realServers = virtualServers[server.identity]?.realServers ?? []
            virtualServers[server.identity] = server
            virtualServers[server.identity]?.realServers = realServers
        case .deleteVirtualServer(let identity): virtualServers[identity] = nil
        case .addRealServer, .editRealServer, .deleteRealServer:
            guard let (identity, location, server) = operation.realServer else { break }
            virtualServers[identity]?.realServers[location] = server
        case .flushConntrack: break
        }
    }
}

extension Operation {
    /// The location of the real server that the operation changes, and the real server after it; nil for other operations.
    fileprivate var realServer: (VirtualServer.Identity, AddressPort, RealServer?)? {
        switch self {
        case .addRealServer(let identity, let server), .editRealServer(let identity, let server): (identity, server.location, server)
        case .deleteRealServer(let identity, let location): (identity, location, nil)
        default: nil
        }
    }
}
