internal import Model

/// Compares two states and collects the operations that lead from one to the other, by phase.
struct PlanBuilder {
    let observed: NodeState
    let desired: NodeState
    let drainTimeout: Duration
    let now: Timestamp
    let rotation: UInt64
    let suspendsRemovals: Bool

    var draining: Set<VirtualServer.Identity> = []
    var slowStarting: Set<VirtualServer.Identity> = []
    private var phases: [[Operation]] = Array(repeating: [], count: Plan.Phase.allCases.count)

    init(
        observed: NodeState, desired: NodeState, drainTimeout: Duration, now: Timestamp, rotation: UInt64, suspendsRemovals: Bool
    ) {
        self.observed = observed
        self.desired = desired
        self.drainTimeout = drainTimeout
        self.now = now
        self.rotation = rotation
        self.suspendsRemovals = suspendsRemovals
    }

    var operations: [Operation] {
        var operations: [Operation] = []
        operations.reserveCapacity(phases.reduce(0) { $0 + $1.count })
        for phase in phases { operations += phase }
        return operations
    }

    mutating func add(_ scope: Scope, _ flows: Set<VirtualServer.Identity>) {
        if desired.hasDevice, !observed.hasDevice { add(.createDevice, in: .createDevice) }
        if desired.isDeviceUp, !observed.isDeviceUp { add(.setDeviceUp, in: .createDevice) }
        planSets(scope)
        planRules(scope)
        planLeftovers(scope)
        planAddresses(scope)
        planRoutes(scope)
        planVirtualServers(scope)
        planConntrackFlushes(scope, flows)
    }

    func virtualServers(in scope: Scope) -> [VirtualServer.Identity] {
        switch scope {
        case .everything: Array(desired.virtualServers.keys) + observed.virtualServers.keys.filter { desired.virtualServers[$0] == nil }
        case .only(let selection): Array(selection.virtualServers)
        }
    }

    mutating func add(_ operation: Operation, in phase: Plan.Phase) { phases[phase.rawValue].append(operation) }

    // MARK: Sets

    private mutating func planSets(_ scope: Scope) {
        switch scope {
        case .everything:
            for (_, desired) in desired.sets.sorted(by: { $0.key < $1.key }) {
                planSet(desired, observed.sets[desired.name], nil)
            }
        case .only(let selection):
            for (name, members) in selection.members.sorted(by: { $0.key < $1.key }) {
                guard let desired = desired.sets[name] else { continue }
                planSet(desired, observed.sets[name], members)
            }
        }
    }

    /// - Parameter members: the members to compare; nil for all.
    private mutating func planSet(_ desired: AddressSet, _ observed: AddressSet?, _ members: Set<AddressSet.Member>?) {
        guard let observed else {
            var empty = desired.sizedForMembers
            empty.members = [:]
            add(.createSet(empty), in: .createSets)
            for (member, origin) in desired.members.sorted(by: { $0.key < $1.key }) {
                add(.addMember(desired.name, member, origin), in: .addMembers)
            }
            return
        }
        guard observed.hasSameType(as: desired), desired.fits(in: observed) else {
            var replacement = desired
            // While removals are suspended, keep the old members. Those of another set type cannot be copied.
            if suspendsRemovals, observed.kind == desired.kind { replacement.members.merge(observed.members) { mine, _ in mine } }
            add(.replaceSet(replacement.sizedForMembers), in: .createSets)
            return
        }
        let (wanted, found) = members.map { (Array($0), Array($0)) } ?? (Array(desired.members.keys), Array(observed.members.keys))
        for member in wanted.filter({ observed.members[$0] == nil }).sorted() {
            if let origin = desired.members[member] { add(.addMember(desired.name, member, origin), in: .addMembers) }
        }
        guard !suspendsRemovals else { return }
        for member in found.filter({ desired.members[$0] == nil && observed.members[$0] != nil }).sorted() {
            add(.removeMember(desired.name, member), in: .removeMembers)
        }
    }

    // MARK: Rules

    private mutating func planRules(_ scope: Scope) {
        for family in IPFamily.allCases {
            if case .only(let selection) = scope, !selection.rules.contains(family) { continue }
            guard let desired = desired.rules[family] else { continue }
            let observed = observed.rules[family] ?? Rules(family)
            let missing = desired.jumps.filter { !observed.jumps.contains($0) }
            let additions = desired.keepingRemovedRules(of: observed)
            if !missing.isEmpty || additions.chains != observed.chains {
                add(.restoreRules(additions, missingJumps: missing), in: .restoreRules)
            }
            if additions.chains != desired.chains, !suspendsRemovals { add(.restoreRules(desired, missingJumps: []), in: .removeRules) }
        }
    }

    /// Plans the removal of the rules left by other modes of kube-proxy or in another backend, after all other removals: until all our
    /// state is in place, they may serve traffic.
    private mutating func planLeftovers(_ scope: Scope) {
        for family in IPFamily.allCases where !suspendsRemovals {
            if case .only(let selection) = scope, !selection.rules.contains(family) { continue }
            guard desired.rules[family] != nil else { continue }
            if let left = observed.leftovers[family] { for operation in Plan.removing(left) { add(operation, in: .removeLeftovers) } }
            for rules in observed.rulesInOtherBackends where rules.family == family { add(.removeRules(rules), in: .removeLeftovers) }
        }
    }

    // MARK: Addresses

    private mutating func planAddresses(_ scope: Scope) {
        let (desired, observed) = (desired.addresses, observed.addresses)
        for address in addresses(scope, desired.keys, observed.keys, differ: { (desired[$0] == nil) != (observed[$0] == nil) }) {
            if let origin = desired[address] {
                add(.bind(address, origin), in: .bind)
            } else if !suspendsRemovals {
                add(.unbind(address), in: .unbind)
            }
        }
    }

    /// Plans routes in the phases of addresses, so that a service address whose kind changes is always one of the two.
    private mutating func planRoutes(_ scope: Scope) {
        let (desired, observed) = (desired.routes, observed.routes)
        func differ(_ address: IPAddress) -> Bool {
            guard let found = observed[address] else { return desired.index(forKey: address) != nil }
            guard let wanted = desired[address] else { return true }
            return wanted.source != found.source
        }
        for address in addresses(scope, desired.keys, observed.keys, differ: differ) {
            if let route = desired[address] {
                add(.addRoute(address, route), in: .bind)
            } else if !suspendsRemovals {
                add(.removeRoute(address), in: .unbind)
            }
        }
    }

    /// Returns the addresses of a scope that differ, sorted.
    private func addresses(
        _ scope: Scope, _ desired: some Collection<IPAddress>, _ observed: some Collection<IPAddress>, differ: (IPAddress) -> Bool
    ) -> [IPAddress] {
        switch scope {
        case .only(let selection) where !selection.device: selection.addresses.filter(differ).sorted()
        default: (desired.filter(differ) + observed.filter { !desired.contains($0) && differ($0) }).sorted()
        }
    }

    // MARK: Virtual servers

    private mutating func planVirtualServers(_ scope: Scope) {
        for identity in virtualServers(in: scope).sorted() {
            switch (desired.virtualServers[identity], observed.virtualServers[identity]) {
            case (.some(let wanted), let found): planVirtualServer(wanted, found)
            case (.none, .some): if !suspendsRemovals { add(.deleteVirtualServer(identity), in: .deleteVirtualServers) }
            case (.none, .none): break
            }
        }
    }
}

extension AddressSet {
    /// Whether `observed` has room for all members of this set together with the members that are removed only later.
    fileprivate func fits(in observed: AddressSet) -> Bool {
        guard kind != .bitmapPort else { return true }
        if members.count + observed.members.count <= Int(observed.capacity) { return true }
        let leaving = observed.members.keys.count { members[$0] == nil }
        return members.count + leaving <= Int(observed.capacity)
    }

    /// The set with a capacity of at least twice its number of members, so that it is not replaced again soon, and never below kube-proxy's
    /// capacity.
    var sizedForMembers: AddressSet {
        var copy = self
        while Int(copy.capacity) < 2 * members.count, copy.capacity < .max {
            copy.capacity = copy.capacity >= 1 << 30 ? .max : copy.capacity * 2
        }
        return copy
    }
}
