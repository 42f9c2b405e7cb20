public import Model

/// The operations that lead from one state to another, in the one order that never shows a client a half-made Service.
///
/// A value: it can be printed, counted and tested. Applying it to the observed state gives the desired one, save for real servers that still drain;
/// planning again gives nothing.
public struct Plan: Hashable, Sendable {
    /// The order in which operations are carried out. Making comes before breaking: a virtual server never answers before its sets and rules
    /// stand, nor before it has the real servers it will have, and what goes is emptied before it is taken away. Rules that go are needed until then:
    /// what is restricted must not be open for a moment because it is about to go.
    public enum Phase: Int, Hashable, Sendable, CaseIterable {
        case createSets, addMembers, restoreRules, createDevice, serveVirtualServers, bind
        case drain, deleteRealServers, unbind, deleteVirtualServers, removeRules, removeMembers, removeLeftovers
        // Flows last: what could lead them the old way once more is gone.
        case forgetFlows
    }

    public private(set) var operations: [Operation] = []
    /// Virtual servers with real servers that drain: their connection counts decide what comes next.
    public private(set) var draining: Set<VirtualServer.Identity> = []
    /// Virtual servers with real servers whose weight rises: time decides what comes next.
    public private(set) var warming: Set<VirtualServer.Identity> = []

    /// Families whose rules are restored once more when all else is gone.
    private var familiesLosingRules: Set<IPFamily> = []
    private var phases: [[Operation]] = Array(repeating: [], count: Phase.allCases.count)

    /// Compares two states.
    ///
    /// - Parameters:
    ///   - observed: what the kernel holds, foreign things left out: what is not in it is never touched.
    ///   - scope: which keys to compare; the cost follows it.
    ///   - drainTimeout: how long a real server that is no longer wanted may keep its TCP connections, where its virtual server does not say.
    ///   - rotation: a number of this node, with which its servers are added in an order of its own where the order is free.
    ///   - now: the moment for drain deadlines.
    ///   - unforgotten: virtual servers whose flows are to be forgotten though nothing changes, as that failed before.
    public init(
        from observed: NodeState, to desired: NodeState, scope: Scope = .everything, drainTimeout: Duration, now: Timestamp,
        rotation: UInt64 = 0, unforgotten: Set<VirtualServer.Identity> = []
    ) {
        let comparison = Comparison(observed: observed, desired: desired, drainTimeout: drainTimeout, now: now, rotation: rotation)
        if desired.hasDevice, !observed.hasDevice { add(.createDevice, in: .createDevice) }
        planSets(comparison, scope)
        planRules(comparison, scope)
        planLeftovers(comparison, scope)
        planAddresses(comparison, scope)
        planVirtualServers(comparison, scope)
        planFlows(comparison, scope, unforgotten)
        operations.reserveCapacity(phases.reduce(0) { $0 + $1.count })
        for phase in phases { operations += phase }
        phases = []
    }

    /// Without what takes things away; what drains goes on draining.
    public func withoutRemovals() -> Plan {
        var plan = self
        let staying = Set(operations.lazy.filter { $0.kind == .deleteVirtualServer }.compactMap(\.virtualServer))
        for family in familiesLosingRules {
            if let last = plan.operations.lastIndex(where: { $0.rules?.family == family }) { plan.operations.remove(at: last) }
        }
        plan.operations.removeAll { operation in
            switch operation.kind {
            case .deleteVirtualServer, .unbind, .removeMember, .removeLeftoverRules, .deleteLeftoverTable: true
            case .forgetFlows: operation.virtualServer.map(staying.contains) ?? false
            default: false
            }
        }
        return plan
    }

    /// Without what the kernel would refuse again.
    func without(_ refused: RefusedServers) -> Plan {
        guard !refused.locations.isEmpty else { return self }
        var plan = self
        plan.operations.removeAll(where: refused.withholds)
        return plan
    }

    init(operations: [Operation]) {
        self.operations = operations
        phases = []
    }

    public var isEmpty: Bool { operations.isEmpty }

    /// How many operations of each kind there are.
    public var counts: [Operation.Kind: Int] { Plan.counts(operations) }

    /// How many operations of each kind there are.
    public static func counts(_ operations: [Operation]) -> [Operation.Kind: Int] {
        operations.reduce(into: [:]) { $0[$1.kind, default: 0] += 1 }
    }

    struct Comparison {
        let observed: NodeState
        let desired: NodeState
        let drainTimeout: Duration
        let now: Timestamp
        let rotation: UInt64

        func virtualServers(in scope: Scope) -> [VirtualServer.Identity] {
            switch scope {
            case .everything: Array(desired.virtualServers.keys) + observed.virtualServers.keys.filter { desired.virtualServers[$0] == nil }
            case .only(let selection): Array(selection.virtualServers)
            }
        }
    }

    mutating func add(_ operation: Operation, in phase: Phase) { phases[phase.rawValue].append(operation) }

    // MARK: Sets

    private mutating func planSets(_ comparison: Comparison, _ scope: Scope) {
        switch scope {
        case .everything:
            for (_, desired) in comparison.desired.sets.sorted(by: { $0.key < $1.key }) {
                planSet(desired, comparison.observed.sets[desired.name], nil)
            }
        case .only(let selection):
            for (name, members) in selection.members.sorted(by: { $0.key < $1.key }) {
                guard let desired = comparison.desired.sets[name] else { continue }
                planSet(desired, comparison.observed.sets[name], members)
            }
        }
    }

    /// - Parameter members: which members to compare; nil for all.
    private mutating func planSet(_ desired: AddressSet, _ observed: AddressSet?, _ members: Set<AddressSet.Member>?) {
        guard let observed else {
            var empty = desired.sizedForMembers
            empty.members = [:]
            add(.createSet(empty), in: .createSets)
            for (member, origin) in desired.members { add(.addMember(desired.name, member, origin), in: .addMembers) }
            return
        }
        guard observed.isShapedLike(desired), desired.fits(in: observed) else {
            add(.replaceSet(desired.sizedForMembers), in: .createSets)
            return
        }
        if let members {
            for member in members { planMember(member, desired, observed) }
        } else {
            for member in desired.members.keys { planMember(member, desired, observed) }
            for member in observed.members.keys where desired.members[member] == nil { planMember(member, desired, observed) }
        }
    }

    private mutating func planMember(_ member: AddressSet.Member, _ desired: AddressSet, _ observed: AddressSet) {
        switch (desired.members[member], observed.members[member]) {
        case (.some(let origin), .none): add(.addMember(desired.name, member, origin), in: .addMembers)
        case (.none, .some): add(.removeMember(desired.name, member), in: .removeMembers)
        default: break
        }
    }

    // MARK: Rules

    private mutating func planRules(_ comparison: Comparison, _ scope: Scope) {
        for family in IPFamily.allCases {
            if case .only(let selection) = scope, !selection.rules.contains(family) { continue }
            guard let desired = comparison.desired.rules[family] else { continue }
            let observed = comparison.observed.rules[family] ?? Rules(family)
            let missing = desired.jumps.filter { !observed.jumps.contains($0) }
            let first = desired.withRulesThatGo(from: observed)
            if !missing.isEmpty || first.chains != observed.chains { add(.restoreRules(first, missingJumps: missing), in: .restoreRules) }
            if first.chains != desired.chains {
                add(.restoreRules(desired, missingJumps: []), in: .removeRules)
                familiesLosingRules.insert(family)
            }
        }
    }

    // MARK: Addresses

    private mutating func planAddresses(_ comparison: Comparison, _ scope: Scope) {
        let (desired, observed) = (comparison.desired.addresses, comparison.observed.addresses)
        let candidates: [IPAddress] =
            switch scope {
            case .everything: Array(desired.keys) + observed.keys.filter { desired[$0] == nil }
            case .only(let selection): Array(selection.addresses)
            }
        for address in candidates.sorted() {
            switch (desired[address], observed[address]) {
            case (.some(let origin), .none): add(.bind(address, origin), in: .bind)
            case (.none, .some): add(.unbind(address), in: .unbind)
            default: break
            }
        }
    }

    // MARK: Virtual servers

    private mutating func planVirtualServers(_ comparison: Comparison, _ scope: Scope) {
        let (desired, observed) = (comparison.desired.virtualServers, comparison.observed.virtualServers)
        for identity in comparison.virtualServers(in: scope).sorted() {
            switch (desired[identity], observed[identity]) {
            case (.some(let wanted), let found): planVirtualServer(wanted, found, comparison)
            case (.none, .some): add(.deleteVirtualServer(identity), in: .deleteVirtualServers)
            case (.none, .none): break
            }
        }
    }

    private mutating func planVirtualServer(_ desired: VirtualServer, _ observed: VirtualServer?, _ comparison: Comparison) {
        if let observed {
            if !desired.isConfiguredLike(observed) { add(.editVirtualServer(desired.withoutRealServers), in: .serveVirtualServers) }
        } else {
            add(.addVirtualServer(desired.withoutRealServers), in: .serveVirtualServers)
        }
        let slowStart = SlowStart(of: desired, from: observed, now: comparison.now)
        for wanted in desired.realServers(inOrderOf: comparison.rotation) {
            let found = observed?.realServers[wanted.location]
            let server = slowStart?.step(to: wanted, from: found) ?? wanted
            if server.warmingSince != nil { warming.insert(desired.identity) }
            switch found {
            case .none: add(.addRealServer(desired.identity, server), in: .serveVirtualServers)
            case .some(let found) where !found.isConfiguredLike(server) || found.warmingSince != server.warmingSince:
                add(.editRealServer(desired.identity, server), in: .serveVirtualServers)
            default: break
            }
        }
        guard let observed else { return }
        for server in observed.realServers.values where desired.realServers[server.location] == nil {
            planRemoval(of: server, from: desired, comparison)
        }
    }

    private mutating func planRemoval(of server: RealServer, from desired: VirtualServer, _ comparison: Comparison) {
        let identity = desired.identity
        let timeout = desired.drainTimeout(otherwise: comparison.drainTimeout)
        switch Drain(server, of: identity.transport, timeout: timeout, now: comparison.now) {
        case .begin(let drained):
            add(.editRealServer(identity, drained), in: .drain)
            draining.insert(identity)
        case .wait: draining.insert(identity)
        case .over: add(.deleteRealServer(identity, server.location), in: .deleteRealServers)
        }
    }
}

extension Operation {
    fileprivate var rules: Rules? { if case .restoreRules(let rules, _) = self { rules } else { nil } }
}

extension Rules {
    /// With all rules of those chains that lose some and gain none.
    fileprivate func withRulesThatGo(from observed: Rules) -> Rules {
        var merged = self
        for (chain, rules) in observed.chains {
            if let wanted = chains[chain], wanted.count < rules.count, rules.contains(inOrder: wanted) { merged.chains[chain] = rules }
        }
        return merged
    }
}

extension [String] {
    fileprivate func contains(inOrder others: [String]) -> Bool {
        var rest = others[...]
        for element in self where element == rest.first { rest = rest.dropFirst() }
        return rest.isEmpty
    }
}

extension VirtualServer {
    /// The order in which real servers are added.
    ///
    /// The same on every node where that is what has nodes choose alike. The kernel puts each at the head of its list (net/netfilter/ipvs/ip_vs_ctl.c
    /// `ip_vs_add_dest`), where the other schedulers begin: on all nodes at the same server, if it were the same order.
    fileprivate func realServers(inOrderOf rotation: UInt64) -> [RealServer] {
        let sorted = realServers.values.sorted { $0.location < $1.location }
        guard !scheduler.choosesByOrder, sorted.count > 1 else { return sorted }
        let first = Int(rotation % UInt64(sorted.count))
        return Array(sorted[first...] + sorted[..<first])
    }

    var withoutRealServers: VirtualServer {
        var copy = self
        copy.realServers = [:]
        return copy
    }
}

extension AddressSet {
    /// Whether its members find room beside those that leave only afterwards.
    fileprivate func fits(in observed: AddressSet) -> Bool {
        guard kind != .bitmapPort else { return true }
        if members.count + observed.members.count <= Int(observed.capacity) { return true }
        let leaving = observed.members.keys.count { members[$0] == nil }
        return members.count + leaving <= Int(observed.capacity)
    }

    /// With room for its members and as many more, so that it is not replaced again soon; never below what kube-proxy makes.
    var sizedForMembers: AddressSet {
        var copy = self
        while Int(copy.capacity) < 2 * members.count, copy.capacity < .max {
            copy.capacity = copy.capacity >= 1 << 30 ? .max : copy.capacity * 2
        }
        return copy
    }
}
