public import Model

/// Keeps a mirror of the kernel's state and plans what leads from it to the desired state.
///
/// It holds no clock and does no I/O: whoever drives it observes, applies and says what time it is. What has to be observed is left out of plans until it was.
public struct Reconciler: Sendable {
    /// What the kernel holds of ours, as far as is known.
    public private(set) var mirror = NodeState()
    /// What is not known and has to be observed.
    public private(set) var scopeToObserve: Scope = .everything
    /// What the next plan compares.
    private var scopeToPlan: Scope = .everything
    /// Virtual servers whose flows are to be forgotten though no comparison of states shows it.
    private var flowsToPlan: Set<VirtualServer.Identity> = []
    /// Virtual servers with draining real servers.
    public private(set) var draining: Set<VirtualServer.Identity> = []
    /// Virtual servers with real servers whose weight rises.
    private var warming: Set<VirtualServer.Identity> = []

    public let drainTimeout: Duration
    private let rotation: UInt64

    /// - Parameter nodeName: decides the order in which real servers are added where it is free.
    public init(drainTimeout: Duration, nodeName: String = "") {
        self.drainTimeout = drainTimeout
        rotation = nodeName.isEmpty ? 0 : StableHash(nodeName).value
    }

    /// The desired state changed there, or what stood in the way there is gone.
    public mutating func planAgain(_ scope: Scope) {
        if case .only(let selection) = scope { flowsToPlan.formUnion(selection.flows) }
        scopeToPlan.formUnion(scope)
    }

    /// The kernel may hold something else there: it is observed before the next plan.
    public mutating func invalidate(_ scope: Scope) { scopeToObserve.formUnion(scope) }

    /// Whether the next plan compares anything.
    public var hasSomethingToPlan: Bool {
        if case .everything = scopeToObserve { return false }
        return !scopeToPlan.isEmpty || !flowsToPlan.isEmpty
    }

    // MARK: Observing

    /// Takes over what was observed.
    ///
    /// - Parameter isOurs: what makes a virtual server that is not desired ours. Others never enter the mirror, so that no plan can touch them.
    public mutating func adopt(
        _ observed: NodeState, of scope: Scope, desired: NodeState, at now: Timestamp, isOurs: (VirtualServer) -> Bool
    ) {
        switch scope {
        case .everything:
            var servers: [VirtualServer.Identity: VirtualServer] = [:]
            servers.reserveCapacity(observed.virtualServers.count)
            for (identity, server) in observed.virtualServers where isManaged(server, desired, isOurs) {
                servers[identity] = remembering(server, desired, at: now)
            }
            mirror = observed
            mirror.virtualServers = servers
            (scopeToObserve, scopeToPlan) = (.nothing, .everything)
        case .only(let selection):
            for identity in selection.virtualServers {
                let found = observed.virtualServers[identity].flatMap { isManaged($0, desired, isOurs) ? $0 : nil }
                mirror.virtualServers[identity] = found.map { remembering($0, desired, at: now) }
            }
            for identity in selection.realServers.subtracting(selection.virtualServers) {
                guard var server = mirror.virtualServers[identity] else { continue }
                server.realServers = observed.virtualServers[identity]?.realServers ?? [:]
                mirror.virtualServers[identity] = remembering(server, desired, at: now)
            }
            for address in selection.addresses { mirror.addresses[address] = observed.addresses[address] }
            if selection.device { mirror.addresses = observed.addresses }
            for name in selection.members.keys { mirror.sets[name] = observed.sets[name] }
            adoptDevice(observed, selection, desired)
            settle(selection)
            scopeToPlan.formUnion(.only(selection.withRealServersAsVirtualServers))
        }
    }

    private mutating func settle(_ selection: Scope.Selection) {
        guard case .only(var unknown) = scopeToObserve else { return }
        scopeToObserve = .nothing
        unknown.subtract(selection)
        scopeToObserve = .only(unknown)
    }

    /// Takes over the rules of a family.
    public mutating func adopt(_ observed: ObservedRules, _ family: IPFamily) {
        mirror.rules[family] = observed.rules
        mirror.leftovers[family] = observed.leftovers
        scopeToPlan.formUnion(.only(.init(rules: [family])))
    }

    /// Whether a virtual server is, was or is to be of this program's making.
    private func isManaged(_ server: VirtualServer, _ desired: NodeState, _ isOurs: (VirtualServer) -> Bool) -> Bool {
        desired.virtualServers[server.identity] != nil || mirror.virtualServers[server.identity] != nil || isOurs(server)
    }

    private mutating func adoptDevice(_ observed: NodeState, _ selection: Scope.Selection, _ desired: NodeState) {
        guard selection.device || !selection.addresses.isEmpty else { return }
        mirror.hasDevice = observed.hasDevice
        guard !observed.hasDevice else { return }
        // With the device went every address it held.
        mirror.addresses = [:]
        scopeToPlan.formUnion(.only(.init(device: true)))
    }

    /// Carries over what the kernel does not know: where a server comes from, and since when it drains or its weight rises.
    private func remembering(_ server: VirtualServer, _ desired: NodeState, at now: Timestamp) -> VirtualServer {
        let wanted = desired.virtualServers[server.identity]?.realServers ?? [:]
        guard let known = mirror.virtualServers[server.identity] else {
            return server.marking(drainingSince: now, before: [:], wanted: wanted)
        }
        var result = server
        result.origin = known.origin
        // Almost always nothing changed, and what is known can stay, in the memory it already has.
        if server.isServedLike(known) {
            result.realServers = known.realServers
            return result
        }
        return result.marking(drainingSince: now, before: known.realServers, wanted: wanted)
    }

    // MARK: Planning

    /// What to do now about what is known.
    public func plan(for desired: NodeState, at now: Timestamp, suspendsRemovals: Bool = false) -> Plan {
        Plan(
            from: mirror, to: desired, scope: split(scopeToPlan, desired).known, drainTimeout: drainTimeout, now: now, rotation: rotation,
            suspendsRemovals: suspendsRemovals, flows: flowsToPlan)
    }

    /// The same; what it compared is not compared again unless something new happens there.
    public mutating func takePlan(for desired: NodeState, at now: Timestamp, suspendsRemovals: Bool = false) -> (
        plan: Plan, scope: Scope, flows: Set<VirtualServer.Identity>
    ) {
        let (known, unknown) = split(scopeToPlan, desired)
        postponeMemberRemoval(scopeToPlan, desired)
        let flows = flowsToPlan
        flowsToPlan = []
        let plan = Plan(
            from: mirror, to: desired, scope: known, drainTimeout: drainTimeout, now: now, rotation: rotation,
            suspendsRemovals: suspendsRemovals, flows: flows)
        scopeToPlan = unknown
        draining.formUnion(plan.draining)
        warming.formUnion(plan.warming)
        return (plan, known, flows)
    }

    /// What can be compared, and what cannot before everything was observed. What is unknown otherwise is planned when it has been observed.
    private func split(_ scope: Scope, _ desired: NodeState) -> (known: Scope, unknown: Scope) {
        switch (scope, scopeToObserve) {
        case (_, .everything): return (.nothing, scope)
        case (_, .only(let unknown)) where unknown.isEmpty: return (scope, .nothing)
        case (.everything, .only(let unknown)):
            var known = Scope.Selection(
                virtualServers: Set(mirror.virtualServers.keys).union(desired.virtualServers.keys),
                addresses: Set(mirror.addresses.keys).union(desired.addresses.keys),
                rules: Set(IPFamily.allCases))
            for name in Set(mirror.sets.keys).union(desired.sets.keys) {
                known.members[name] = Set(mirror.sets[name]?.members.keys.map(\.self) ?? []).union(
                    desired.sets[name]?.members.keys.map(\.self) ?? [])
            }
            return (.only(known.without(unknown)), .nothing)
        case (.only(var known), .only(let unknown)): return (.only(known.without(unknown)), .nothing)
        }
    }

    /// A set is observed as a whole: what was to be planned of one that is not known is planned when it is.
    private mutating func postponeMemberRemoval(_ scope: Scope, _ desired: NodeState) {
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

    /// Takes note of operations that succeeded.
    ///
    /// - Parameter desired: what they lead to.
    public mutating func finish(_ done: some Collection<Operation>, desired: NodeState) {
        for operation in done { mirror.apply(operation) }
        shareStorage(of: done, with: desired)
        draining.subtract(done.lazy.compactMap(\.deletedVirtualServer))
        // A server that just began to drain may already be idle: its connections decide.
        let begun = done.compactMap(\.drainedVirtualServer)
        if !begun.isEmpty { scopeToObserve.formUnion(.only(.init(realServers: Set(begun)))) }
    }

    /// What is in the kernel as it is desired need not be held twice.
    private mutating func shareStorage(of done: some Collection<Operation>, with desired: NodeState) {
        for identity in Set(done.lazy.compactMap(\.changedVirtualServer)) {
            guard let wanted = desired.virtualServers[identity], let held = mirror.virtualServers[identity] else { continue }
            if held.isConfiguredLike(wanted), wanted.isServedLike(held) { mirror.virtualServers[identity] = wanted }
        }
    }

    /// The Service port that an operation is about, where either side knows it.
    public func origin(of operation: Operation, desired: NodeState) -> ServiceOrigin? {
        if let origin = operation.origin { return origin }
        if let identity = operation.virtualServer {
            return desired.virtualServers[identity]?.origin ?? mirror.virtualServers[identity]?.origin
        }
        let scope = operation.scope
        if let address = scope.addresses.first { return mirror.addresses[address] ?? nil }
        guard let (name, members) = scope.members.first, members.count == 1, let member = members.first else { return nil }
        return mirror.sets[name]?.members[member] ?? nil
    }

    // MARK: Draining and slow start

    /// Has the connections of draining servers counted, and the weights of those that start slowly raised.
    public mutating func pollDrainsAndSlowStarts() {
        draining = draining.filter { mirror.virtualServers[$0]?.realServers.values.contains { $0.drainingSince != nil } ?? false }
        warming = warming.filter { mirror.virtualServers[$0]?.realServers.values.contains { $0.warmingSince != nil } ?? false }
        scopeToObserve.formUnion(.only(.init(realServers: draining)))
        scopeToPlan.formUnion(.only(.init(virtualServers: warming)))
    }

    /// Whether the weight of any real server rises.
    public var isWarming: Bool { !warming.isEmpty }

    /// How many real servers drain.
    public var drainingServerCount: Int {
        draining.reduce(0) { $0 + (mirror.virtualServers[$1]?.realServers.values.count { $0.drainingSince != nil } ?? 0) }
    }
}

extension VirtualServer {
    fileprivate func with(_ realServers: [AddressPort: RealServer]) -> VirtualServer {
        var copy = self
        copy.realServers = realServers
        return copy
    }

    /// Whether both have the same real servers in service, and neither has one that drains.
    fileprivate func isServedLike(_ other: VirtualServer) -> Bool {
        realServers.count == other.realServers.count
            && realServers.values.allSatisfy { server in
                server.weight != 0 && other.realServers[server.location]?.isConfiguredLike(server) ?? false
            }
    }

    /// With what is known of its real servers, and the moment noted for those that drain.
    fileprivate func marking(
        drainingSince now: Timestamp, before: [AddressPort: RealServer], wanted: [AddressPort: RealServer]
    ) -> VirtualServer {
        guard !before.isEmpty || realServers.values.contains(where: { $0.weight == 0 }) else { return self }
        return with(
            realServers.mapValues { server in
                var server = server
                let known = before[server.location]
                server.origin = known?.origin
                if server.weight == known?.weight { server.warmingSince = known?.warmingSince }
                // One that is wanted with weight 0 does not drain: it stays.
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

    /// Without what has to be observed first.
    fileprivate mutating func without(_ unknown: Scope.Selection) -> Scope.Selection {
        subtract(unknown)
        virtualServers.subtract(unknown.realServers)
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
