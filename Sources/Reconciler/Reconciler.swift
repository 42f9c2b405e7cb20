public import Model

/// Keeps a mirror of the kernel's state and decides what to do next.
///
/// It holds no clock and does no I/O: whoever drives it observes, applies and says what time it is, in this order:
///
///     while let scope = reconciler.scopeToObserve { reconciler.adopt(observe(scope), of: scope, …) }
///     let plan = reconciler.plan(for: desired, …)
///     reconciler.finish(plan, apply(plan.operations))
public struct Reconciler: Sendable {
    /// What the kernel holds of ours, as far as is known.
    public private(set) var mirror = NodeState()
    /// What has to be looked at before the next plan; empty if the mirror can be trusted.
    public private(set) var scopeToObserve: Scope = .everything
    /// What the next plan compares.
    private var scopeToPlan: Scope = .everything
    /// Virtual servers with draining real servers.
    public private(set) var draining: Set<VirtualServer.Identity> = []
    /// Virtual servers with real servers whose weight rises.
    private var warming: Set<VirtualServer.Identity> = []
    /// What the kernel will not have.
    public private(set) var refused = RefusedServers()
    /// Virtual servers whose flows could not be forgotten: no comparison of states tells that this is left to do.
    private var unforgotten: Set<VirtualServer.Identity> = []

    public var drainTimeout: Duration
    private let rotation: UInt64

    /// - Parameter nodeName: decides the order in which real servers are added where it is free.
    public init(drainTimeout: Duration, nodeName: String = "") {
        self.drainTimeout = drainTimeout
        rotation = nodeName.isEmpty ? 0 : StableHash(nodeName).value
    }

    /// The desired state changed there.
    public mutating func desiredStateChanged(_ scope: Scope) { scopeToPlan.formUnion(scope) }

    /// Others may have changed the kernel there: look before the next plan.
    public mutating func distrust(_ scope: Scope) { scopeToObserve.formUnion(scope) }

    /// The next plan asks once more for what the kernel refused there.
    public mutating func tryRefusedAgain(_ servers: some Sequence<VirtualServer.Identity>) { refused.tryAgain(servers) }

    /// Takes over what was observed.
    ///
    /// - Parameter isOurs: what makes a virtual server that is not desired ours. Others never enter the mirror, so that no plan can touch them.
    public mutating func adopt(
        _ observed: NodeState, of scope: Scope, desired: NodeState, at now: Timestamp, isOurs: (VirtualServer) -> Bool
    ) {
        scopeToObserve = .nothing
        switch scope {
        case .everything:
            var servers: [VirtualServer.Identity: VirtualServer] = [:]
            servers.reserveCapacity(observed.virtualServers.count)
            for (identity, server) in observed.virtualServers where belongsHere(server, desired, isOurs) {
                servers[identity] = remembering(server, desired, at: now)
            }
            mirror = observed
            mirror.virtualServers = servers
            scopeToPlan = .everything
        case .only(let selection):
            if selection.frame { adoptFrame(observed, except: selection.virtualServers, desired: desired, isOurs) }
            for identity in selection.virtualServers {
                let found = observed.virtualServers[identity].flatMap { belongsHere($0, desired, isOurs) ? $0 : nil }
                mirror.virtualServers[identity] = found.map { remembering($0, desired, at: now) }
            }
            for identity in selection.realServers.subtracting(selection.virtualServers) {
                guard var server = mirror.virtualServers[identity] else { continue }
                server.realServers = observed.virtualServers[identity]?.realServers ?? [:]
                mirror.virtualServers[identity] = remembering(server, desired, at: now)
            }
            adoptRest(observed, selection, desired)
            scopeToPlan.formUnion(.only(selection.withRealServersAsVirtualServers))
        }
    }

    /// Whether a virtual server is, was or is to be of this program's making.
    private func belongsHere(_ server: VirtualServer, _ desired: NodeState, _ isOurs: (VirtualServer) -> Bool) -> Bool {
        desired.virtualServers[server.identity] != nil || mirror.virtualServers[server.identity] != nil || isOurs(server)
    }

    private mutating func adoptRest(_ observed: NodeState, _ selection: Scope.Selection, _ desired: NodeState) {
        for address in selection.addresses { mirror.addresses[address] = observed.addresses[address] }
        for name in selection.members.keys { mirror.sets[name] = observed.sets[name] }
        for family in selection.rules {
            mirror.rules[family] = observed.rules[family]
            mirror.leftovers[family] = observed.leftovers[family]
        }
        mirror.hasDevice = observed.hasDevice
        guard !observed.hasDevice else { return }
        // With the device went every address it held.
        mirror.addresses = [:]
        scopeToPlan.formUnion(.only(.init(addresses: Set(desired.addresses.keys))))
    }

    /// Takes over everything but real servers; what differs from what is desired is to be planned.
    private mutating func adoptFrame(
        _ observed: NodeState, except complete: Set<VirtualServer.Identity>, desired: NodeState, _ isOurs: (VirtualServer) -> Bool
    ) {
        var differing = Scope.Selection(rules: Set(IPFamily.allCases))
        for identity in mirror.virtualServers.keys where observed.virtualServers[identity] == nil {
            mirror.virtualServers[identity] = nil
            differing.virtualServers.insert(identity)
        }
        for (identity, found) in observed.virtualServers where !complete.contains(identity) && belongsHere(found, desired, isOurs) {
            if let known = mirror.virtualServers[identity] {
                guard !found.isConfiguredLike(known) else { continue }
                mirror.virtualServers[identity] = found.with(known.realServers)
                differing.virtualServers.insert(identity)
            } else if desired.virtualServers[identity] != nil {
                // What it has behind it is not known: ask before planning.
                scopeToObserve.formUnion(.only(.init(virtualServers: [identity])))
            } else {
                // Left over: it goes with all it has.
                mirror.virtualServers[identity] = found
                differing.virtualServers.insert(identity)
            }
        }
        differing.virtualServers.formUnion(desired.virtualServers.keys.lazy.filter { observed.virtualServers[$0] == nil })
        differing.addresses = Set(observed.addresses.keys).symmetricDifference(desired.addresses.keys)
        for (name, wanted) in desired.sets {
            let found = observed.sets[name]
            let members = found.map { Set($0.members.keys).symmetricDifference(wanted.members.keys) } ?? []
            if found.map({ !$0.isShapedLike(wanted) || $0.capacity < UInt32(wanted.members.count) }) ?? true || !members.isEmpty {
                differing.members[name] = members
            }
        }
        (mirror.addresses, mirror.sets, mirror.rules) = (observed.addresses, observed.sets, observed.rules)
        scopeToPlan.formUnion(.only(differing))
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

    /// What to do now.
    public func plan(for desired: NodeState, at now: Timestamp) -> Plan {
        Plan(
            from: mirror, to: desired, scope: scopeToPlan, drainTimeout: drainTimeout, now: now, rotation: rotation,
            unforgotten: unforgotten
        )
        .without(refused)
    }

    /// Takes note of what became of a plan: what went through is in the mirror, what failed is to be observed and planned again, save for what
    /// the kernel refused.
    ///
    /// - Parameter desired: what the plan leads to.
    public mutating func finish(_ plan: Plan, _ report: Report, desired: NodeState) {
        let failed = Set(report.failures.map(\.operation))
        for operation in plan.operations where failed.isEmpty || !failed.contains(operation) { mirror.apply(operation) }
        scopeToPlan = .nothing
        for case .forgetFlows(let identity, let servers) in plan.operations {
            if failed.contains(.forgetFlows(identity, except: servers)) {
                unforgotten.insert(identity)
            } else {
                unforgotten.remove(identity)
            }
        }
        shareMemory(of: plan, with: desired)
        draining.subtract(plan.operations.lazy.compactMap(\.deletedVirtualServer))
        draining.formUnion(plan.draining)
        warming.formUnion(plan.warming)
        refused.note(plan, report, desired: desired)
        for operation in failed.subtracting(report.failures.lazy.filter(\.isRefusal).map(\.operation)) {
            if operation.changesTheDevice { scopeToObserve = .everything }
            scopeToObserve.formUnion(.only(operation.scope))
        }
        // A server that just began to drain may already be idle: its connections decide.
        let begun = plan.operations.compactMap(\.drainedVirtualServer)
        scopeToObserve.formUnion(.only(.init(realServers: Set(begun))))
    }

    /// What is in the kernel as it is desired need not be held twice.
    private mutating func shareMemory(of plan: Plan, with desired: NodeState) {
        for identity in Set(plan.operations.lazy.compactMap(\.changedVirtualServer)) {
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

    /// Time to look how the draining servers are doing.
    public mutating func inspectDraining() {
        draining = draining.filter { mirror.virtualServers[$0]?.realServers.values.contains { $0.drainingSince != nil } ?? false }
        scopeToObserve.formUnion(.only(.init(realServers: draining)))
    }

    /// Time for the next step of servers whose weight rises.
    public mutating func continueSlowStarts() {
        warming = warming.filter { mirror.virtualServers[$0]?.realServers.values.contains { $0.warmingSince != nil } ?? false }
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
        (copy.realServers, copy.frame) = ([], false)
        return copy
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

    fileprivate var changesTheDevice: Bool { self == .createDevice || self == .deleteDevice }
}
