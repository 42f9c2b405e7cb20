public import Model

/// Keeps a mirror of the kernel state and plans the operations that lead from it to the desired state.
///
/// It has no clock and does no I/O: its caller observes the kernel, applies plans and passes the time. State that has to be observed first
/// is left out of plans until the observation is merged.
public struct Reconciler: Sendable {
    /// The kernel state of this program, as last observed and changed since by successful operations.
    public private(set) var mirror = NodeState()
    /// The scope in which the mirror may differ from the kernel, and that has to be observed.
    public private(set) var scopeToObserve: Scope = .everything
    /// The virtual servers that are in `scopeToObserve` only to count connections: the mirror is valid for plans.
    private var polled: Set<VirtualServer.Identity> = []
    /// The scope that the next plan compares.
    public private(set) var scopeToPlan: Scope = .everything
    /// Virtual servers whose conntrack entries the next plan flushes, although comparing states does not show it.
    private var flowsToPlan: Set<VirtualServer.Identity> = []
    /// Virtual servers that have draining real servers.
    public private(set) var draining: Set<VirtualServer.Identity> = []
    /// Virtual servers that have real servers in slow start.
    private var slowStarting: Set<VirtualServer.Identity> = []

    public let drainTimeout: Duration
    private let rotation: UInt64

    /// - Parameters:
    ///   - drainTimeout: the longest time that real servers may drain, unless their virtual server specifies another.
    ///   - nodeName: determines the order in which real servers are added, where the scheduler permits any order.
    public init(drainTimeout: Duration, nodeName: String = "") {
        self.drainTimeout = drainTimeout
        rotation = nodeName.isEmpty ? 0 : StableHash(nodeName).value
    }

    /// Adds `scope` to the next plan: its desired state changed, or an operation in it can be retried or is no longer blocked.
    public mutating func markForPlanning(_ scope: Scope) {
        if case .only(let selection) = scope { flowsToPlan.formUnion(selection.flows) }
        scopeToPlan.formUnion(scope)
    }

    /// Marks the mirror as possibly out of date in `scope`, which is then observed before it is planned again.
    public mutating func invalidate(_ scope: Scope) {
        scopeToObserve.formUnion(scope)
        if case .only(let selection) = scope { polled.subtract(selection.realServers) }
    }

    /// Marks draining real servers for observation. Until then, plans let them drain.
    private mutating func poll(_ identities: Set<VirtualServer.Identity>) {
        guard !identities.isEmpty, case .only(let unknown) = scopeToObserve else { return }
        polled.formUnion(identities.subtracting(unknown.realServers))
        scopeToObserve.formUnion(.only(.init(realServers: identities)))
    }

    /// Restricts observing and planning to `selection`: everything else was observed, and is verified later.
    public mutating func restart(with selection: Scope.Selection) {
        flowsToPlan = selection.flows
        (scopeToPlan, scopeToObserve) = (.only(selection), .only(selection.withoutRules))
    }

    /// Whether anything is marked for planning. False until everything has been observed once.
    public var needsPlanning: Bool {
        if case .everything = scopeToObserve { return false }
        return !scopeToPlan.isEmpty || !flowsToPlan.isEmpty
    }

    // MARK: Observing

    /// Merges an observation of `scope` into the mirror and marks the scope for planning.
    ///
    /// - Parameter isOurs: whether a virtual server that is neither desired nor in the mirror belongs to this program. Virtual servers of
    ///   others never enter the mirror, so that no plan changes them.
    public mutating func merge(
        _ observed: NodeState, of scope: Scope, desired: NodeState, at now: Timestamp, isOurs: (VirtualServer) -> Bool
    ) {
        switch scope {
        case .everything:
            var servers: [VirtualServer.Identity: VirtualServer] = [:]
            servers.reserveCapacity(observed.virtualServers.count)
            for (identity, server) in observed.virtualServers where isManaged(server, desired, isOurs) {
                servers[identity] = keepingKnownState(server, desired, at: now)
            }
            mirror = observed
            mirror.virtualServers = servers
            (scopeToObserve, scopeToPlan, polled) = (.nothing, .everything, [])
        case .only(let selection):
            for identity in selection.virtualServers {
                let found = observed.virtualServers[identity].flatMap { isManaged($0, desired, isOurs) ? $0 : nil }
                mirror.virtualServers[identity] = found.map { keepingKnownState($0, desired, at: now) }
            }
            for identity in selection.realServers.subtracting(selection.virtualServers) {
                guard var server = mirror.virtualServers[identity] else { continue }
                server.realServers = observed.virtualServers[identity]?.realServers ?? []
                mirror.virtualServers[identity] = keepingKnownState(server, desired, at: now)
            }
            for address in selection.addresses {
                mirror.addresses[address] = observed.addresses[address]
                mirror.routes[address] = observed.routes[address]
            }
            if selection.device { (mirror.addresses, mirror.routes) = (observed.addresses, observed.routes) }
            var planned = selection.withRealServersAsVirtualServers
            for name in selection.members.keys {
                // A complete set was read: also of members that were not asked for, changes are planned.
                planned.members[name]?.formUnion(AddressSet.changedMembers(from: mirror.sets[name], to: observed.sets[name]))
                mirror.sets[name] = observed.sets[name]
            }
            mergeDevice(observed, selection, desired)
            markObserved(selection)
            scopeToPlan.formUnion(.only(planned))
        }
    }

    /// Removes what was observed from the scope to observe.
    private mutating func markObserved(_ selection: Scope.Selection) {
        guard case .only(var unknown) = scopeToObserve else { return }
        scopeToObserve = .nothing
        unknown.subtract(selection)
        polled.formIntersection(unknown.realServers)
        scopeToObserve = .only(unknown)
    }

    /// Merges the observed rules of a family into the mirror and marks them for planning.
    public mutating func merge(_ observed: ObservedRules, _ family: IPFamily) {
        mirror.rules[family] = observed.rules
        mirror.leftovers[family] = observed.leftovers
        scopeToPlan.formUnion(.only(.init(rules: [family])))
    }

    /// Merges the observed rules of a family in other backends into the mirror and marks them for planning.
    public mutating func merge(_ observed: [BackendRules], _ family: IPFamily) {
        mirror.rulesInOtherBackends.removeAll { $0.family == family }
        mirror.rulesInOtherBackends += observed
        scopeToPlan.formUnion(.only(.init(rules: [family])))
    }

    /// Whether a virtual server is desired, already in the mirror or otherwise ours.
    private func isManaged(_ server: VirtualServer, _ desired: NodeState, _ isOurs: (VirtualServer) -> Bool) -> Bool {
        desired.virtualServers[server.identity] != nil || mirror.virtualServers[server.identity] != nil || isOurs(server)
    }

    private mutating func mergeDevice(_ observed: NodeState, _ selection: Scope.Selection, _ desired: NodeState) {
        guard selection.device || !selection.addresses.isEmpty else { return }
        // The kernel removes all IPv6 routes over a device that is set down.
        if mirror.isDeviceUp, !observed.isDeviceUp, !selection.device { scopeToObserve.formUnion(.only(.init(device: true))) }
        (mirror.hasDevice, mirror.isDeviceUp) = (observed.hasDevice, observed.isDeviceUp)
        guard !observed.hasDevice else { return }
        // The kernel removes all addresses of a deleted device, and the routes over it.
        (mirror.addresses, mirror.routes) = ([:], [:])
        scopeToPlan.formUnion(.only(.init(device: true)))
    }

    /// Returns an observed virtual server with the state that the kernel does not store: origins, and the start times of drains and slow
    /// starts.
    private func keepingKnownState(_ server: VirtualServer, _ desired: NodeState, at now: Timestamp) -> VirtualServer {
        let wanted = desired.virtualServers[server.identity]?.realServers ?? []
        guard let known = mirror.virtualServers[server.identity] else {
            return server.marking(drainingSince: now, before: [], wanted: wanted)
        }
        var result = server
        result.origin = known.origin
        // Usually nothing changed, and the known real servers are kept so that no memory is allocated.
        if server.isServedLike(known) {
            result.realServers = known.realServers
            return result
        }
        return result.marking(drainingSince: now, before: known.realServers, wanted: wanted)
    }

    // MARK: Planning

    /// Returns the plan for the marked scope, as far as it is observed, and keeps the marks.
    public func plan(for desired: NodeState, at now: Timestamp, suspendsRemovals: Bool = false) -> Plan {
        Plan(
            from: mirror, to: desired, scope: split(scopeToPlan, desired).known, drainTimeout: drainTimeout, now: now, rotation: rotation,
            suspendsRemovals: suspendsRemovals, flows: flowsToPlan)
    }

    /// Returns the plan for the marked scope, as far as it is observed, and clears the marks of the scope that it compared.
    ///
    /// - Returns: the plan, the scope that it compared, and the virtual servers whose conntrack entries it flushes on request.
    public mutating func nextPlan(for desired: NodeState, at now: Timestamp, suspendsRemovals: Bool = false) -> (
        plan: Plan, scope: Scope, flows: Set<VirtualServer.Identity>
    ) {
        let (known, unknown) = split(scopeToPlan, desired)
        deferMembersOfUnobservedSets(scopeToPlan, desired)
        let flows = flowsToPlan
        flowsToPlan = []
        let plan = Plan(
            from: mirror, to: desired, scope: known, drainTimeout: drainTimeout, now: now, rotation: rotation,
            suspendsRemovals: suspendsRemovals, flows: flows)
        scopeToPlan = unknown
        // Adopted virtual servers, and those of which only the endpoints' names changed, need no operation.
        switch known {
        case .everything: shareStorage(of: desired.virtualServers.keys, with: desired)
        case .only(let selection): shareStorage(of: selection.virtualServers, with: desired)
        }
        draining.formUnion(plan.draining)
        slowStarting.formUnion(plan.slowStarting)
        return (plan, known, flows)
    }

    /// Splits a scope into the part that can be compared now and the part that stays marked because nothing has been observed yet.
    ///
    /// A part in `scopeToObserve` is in neither: merging its observation marks it again.
    private func split(_ scope: Scope, _ desired: NodeState) -> (known: Scope, unknown: Scope) {
        switch (scope, scopeToObserve) {
        case (_, .everything): return (.nothing, scope)
        case (_, .only(let unknown)) where unknown.isEmpty: return (scope, .nothing)
        case (.everything, .only(let unknown)):
            var known = Scope.Selection(
                virtualServers: Set(mirror.virtualServers.keys).union(desired.virtualServers.keys),
                addresses: Set(mirror.addresses.keys).union(desired.addresses.keys).union(mirror.routes.keys).union(desired.routes.keys),
                rules: Set(IPFamily.allCases))
            for name in Set(mirror.sets.keys).union(desired.sets.keys) {
                known.members[name] = Set(mirror.sets[name]?.members.keys.map(\.self) ?? []).union(
                    desired.sets[name]?.members.keys.map(\.self) ?? [])
            }
            return (.only(known.without(unknown, besides: polled)), .nothing)
        case (.only(var known), .only(let unknown)): return (.only(known.without(unknown, besides: polled)), .nothing)
        }
    }

    /// Adds the marked members of sets that have to be observed to `scopeToObserve`, because merging the observation marks only those
    /// members for planning.
    ///
    /// An observation always reads a complete set.
    private mutating func deferMembersOfUnobservedSets(_ scope: Scope, _ desired: NodeState) {
        guard case .only(var unknown) = scopeToObserve, !unknown.members.isEmpty else { return }
        scopeToObserve = .nothing
        for name in unknown.members.keys {
            if case .only(let selection) = scope {
                unknown.members[name]?.formUnion(selection.members[name] ?? [])
            } else {
                for set in [mirror.sets[name], desired.sets[name]] { unknown.members[name]?.formUnion(set?.members.keys.map(\.self) ?? []) }
            }
        }
        scopeToObserve = .only(unknown)
    }

    /// Updates the mirror with operations that succeeded.
    ///
    /// - Parameter desired: the state for which they were planned.
    public mutating func recordSuccess(_ done: [Operation], desired: NodeState) {
        mirror.apply(done)
        // Operations on the real servers of a virtual server follow each other.
        var last: VirtualServer.Identity?
        for operation in done {
            guard let identity = operation.changedVirtualServer, identity != last else { continue }
            shareStorage(of: CollectionOfOne(identity), with: desired)
            last = identity
        }
        if !draining.isEmpty { draining.subtract(done.lazy.compactMap(\.deletedVirtualServer)) }
        // A server that just started to drain may already be idle: its connections are counted next.
        let startedDraining = done.compactMap(\.drainedVirtualServer)
        poll(Set(startedDraining))
    }

    /// Lets the mirror share the memory of all desired virtual servers that the kernel holds unchanged.
    public mutating func shareStorage(with desired: NodeState) { shareStorage(of: desired.virtualServers.keys, with: desired) }

    /// Lets the mirror share the memory of desired virtual servers that the kernel holds unchanged.
    private mutating func shareStorage(of identities: some Sequence<VirtualServer.Identity>, with desired: NodeState) {
        for identity in identities {
            guard let held = mirror.virtualServers[identity], let wanted = desired.virtualServers[identity] else { continue }
            if held.hasSameConfiguration(as: wanted), wanted.isServedLike(held) { mirror.virtualServers[identity] = wanted }
        }
    }

    /// Returns the Service port that an operation serves; nil if neither the operation, the desired state nor the mirror has it.
    public func origin(of operation: Operation, desired: NodeState) -> ServiceOrigin? {
        if let origin = operation.origin { return origin }
        if let identity = operation.virtualServer {
            return desired.virtualServers[identity]?.origin ?? mirror.virtualServers[identity]?.origin
        }
        switch operation {
        // A plan may have thousands of these.
        case .removeMember(let name, let member): return mirror.sets[name]?.members[member] ?? nil
        case .unbind(let address), .removeRoute(let address): return mirror.origin(of: address)
        default: break
        }
        let scope = operation.scope
        if let address = scope.addresses.first { return mirror.origin(of: address) }
        guard let (name, members) = scope.members.first, members.count == 1, let member = members.first else { return nil }
        return mirror.sets[name]?.members[member] ?? nil
    }

    // MARK: Draining and slow start

    /// Marks draining real servers for observation, which counts their connections, and real servers in slow start for planning, which
    /// raises their weights.
    public mutating func pollDrainsAndSlowStarts() {
        draining = draining.filter { mirror.virtualServers[$0]?.realServers.contains { $0.drainingSince != nil } ?? false }
        slowStarting = slowStarting.filter { mirror.virtualServers[$0]?.realServers.contains { $0.slowStartSince != nil } ?? false }
        poll(draining)
        scopeToPlan.formUnion(.only(.init(virtualServers: slowStarting)))
    }

    /// Whether any real server is in slow start.
    public var hasSlowStarts: Bool { !slowStarting.isEmpty }

    /// The number of draining real servers.
    public var drainingServerCount: Int {
        draining.reduce(0) { $0 + (mirror.virtualServers[$1]?.realServers.count { $0.drainingSince != nil } ?? 0) }
    }
}

extension AddressSet {
    /// The members that only one of two versions of a set has.
    fileprivate static func changedMembers(from before: AddressSet?, to after: AddressSet?) -> [Member] {
        let (old, new) = (before?.members ?? [:], after?.members ?? [:])
        return old.keys.filter { new.index(forKey: $0) == nil } + new.keys.filter { old.index(forKey: $0) == nil }
    }
}

extension VirtualServer {
    fileprivate func with(_ realServers: RealServers) -> VirtualServer {
        var copy = self
        copy.realServers = realServers
        return copy
    }

    /// Whether both have the same real servers with the same configuration, all with a weight above 0.
    fileprivate func isServedLike(_ other: VirtualServer) -> Bool {
        realServers.isAlike(other.realServers) { $0.weight != 0 && $0.hasSameConfiguration(as: $1) }
    }

    /// Returns the virtual server with the known origins and start times of its real servers, and with `now` as the start time of new
    /// drains.
    fileprivate func marking(
        drainingSince now: Timestamp, before: RealServers, wanted: RealServers
    ) -> VirtualServer {
        guard !before.isEmpty || realServers.contains(where: { $0.weight == 0 }) else { return self }
        return with(
            realServers.mapValues { server in
                var server = server
                let known = before[server.location]
                server.origin = known?.origin
                if server.weight == known?.weight { server.slowStartSince = known?.slowStartSince }
                // A server that is desired with weight 0 does not drain: it stays.
                if server.weight == 0, wanted[server.location]?.weight != 0 { server.drainingSince = known?.drainingSince ?? now }
                return server
            })
    }
}

extension Scope.Selection {
    fileprivate var withRealServersAsVirtualServers: Scope.Selection {
        var copy = self
        copy.virtualServers.formUnion(realServers)
        (copy.realServers, copy.headers) = ([], false)
        return copy
    }

    /// The part that an observation of the dataplane reads.
    fileprivate var withoutRules: Scope.Selection {
        var copy = self
        (copy.rules, copy.flows) = ([], [])
        return copy
    }

    /// Removes the scope that has to be observed first, and returns the result.
    fileprivate mutating func without(
        _ unknown: Scope.Selection, besides polled: Set<VirtualServer.Identity>
    ) -> Scope.Selection {
        subtract(unknown)
        virtualServers.subtract(unknown.realServers.subtracting(polled))
        return self
    }
}

extension Operation {
    fileprivate var changedVirtualServer: VirtualServer.Identity? {
        switch self {
        case .addVirtualServer(let server), .editVirtualServer(let server): server.identity
        case .addRealServer(let identity, _), .editRealServer(let identity, _), .deleteRealServer(let identity, _): identity
        default: nil
        }
    }

    fileprivate var deletedVirtualServer: VirtualServer.Identity? {
        if case .deleteVirtualServer(let identity) = self { identity } else { nil }
    }

    fileprivate var drainedVirtualServer: VirtualServer.Identity? {
        if case .editRealServer(let identity, let server) = self, server.drainingSince != nil { identity } else { nil }
    }
}
