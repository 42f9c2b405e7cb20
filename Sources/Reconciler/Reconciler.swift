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

    public var drainTimeout: Duration

    public init(drainTimeout: Duration) { self.drainTimeout = drainTimeout }

    /// The desired state changed there.
    public mutating func desiredStateChanged(_ scope: Scope) { scopeToPlan.formUnion(scope) }

    /// Others may have changed the kernel there: look before the next plan.
    public mutating func distrust(_ scope: Scope) { scopeToObserve.formUnion(scope) }

    /// Takes over what was observed.
    ///
    /// - Parameter isOurs: what makes a virtual server that is not desired ours. Others never enter the mirror, so that no plan can touch them.
    public mutating func adopt(
        _ observed: NodeState, of scope: Scope, desired: NodeState, at now: Timestamp, isOurs: (VirtualServer) -> Bool
    ) {
        var servers: [VirtualServer.Identity: VirtualServer] = [:]
        for (identity, server) in observed.virtualServers {
            guard desired.virtualServers[identity] != nil || mirror.virtualServers[identity] != nil || isOurs(server) else { continue }
            servers[identity] = remembering(server, at: now)
        }
        switch scope {
        case .everything:
            mirror = observed
            mirror.virtualServers = servers
        case .only(let selection):
            for identity in selection.virtualServers { mirror.virtualServers[identity] = servers[identity] }
            for address in selection.addresses {
                mirror.addresses[address] = observed.addresses[address]
            }
            for name in selection.members.keys { mirror.sets[name] = observed.sets[name] }
            for family in selection.rules { mirror.rules[family] = observed.rules[family] }
            mirror.hasDevice = observed.hasDevice
            if !observed.hasDevice { forgetAddresses(desired) }
        }
        scopeToObserve = .nothing
        scopeToPlan.formUnion(scope)
    }

    /// With the device went every address it held.
    private mutating func forgetAddresses(_ desired: NodeState) {
        mirror.addresses = [:]
        scopeToPlan.formUnion(.only(.init(addresses: Set(desired.addresses.keys))))
    }

    /// Carries over what the kernel does not know: where a server comes from and since when it drains.
    private func remembering(_ server: VirtualServer, at now: Timestamp) -> VirtualServer {
        let known = mirror.virtualServers[server.identity]
        var result = server
        result.origin = known?.origin
        for (location, found) in server.realServers {
            let before = known?.realServers[location]
            result.realServers[location]?.origin = before?.origin
            if found.weight == 0 { result.realServers[location]?.drainingSince = before?.drainingSince ?? now }
        }
        return result
    }

    /// What to do now.
    public func plan(for desired: NodeState, at now: Timestamp) -> Plan {
        Plan(from: mirror, to: desired, scope: scopeToPlan, drainTimeout: drainTimeout, now: now)
    }

    /// Takes note of what became of a plan: what went through is in the mirror, what failed is to be observed and planned again.
    public mutating func finish(_ plan: Plan, _ report: Report) {
        let failed = Set(report.failures.map(\.operation))
        for operation in plan.operations where failed.isEmpty || !failed.contains(operation) { mirror.apply(operation) }
        scopeToPlan = .nothing
        draining.subtract(plan.operations.lazy.compactMap(\.deletedVirtualServer))
        draining.formUnion(plan.draining)
        for operation in failed {
            if operation.changesTheDevice { scopeToObserve = .everything }
            scopeToObserve.formUnion(.only(operation.scope))
        }
        // A server that just began to drain may already be idle: its connections decide.
        let begun = plan.operations.compactMap(\.drainedVirtualServer)
        scopeToObserve.formUnion(.only(.init(virtualServers: Set(begun))))
    }

    /// Time to look how the draining servers are doing.
    public mutating func inspectDraining() {
        draining = draining.filter { mirror.virtualServers[$0]?.realServers.values.contains { $0.drainingSince != nil } ?? false }
        scopeToObserve.formUnion(.only(.init(virtualServers: draining)))
    }

    /// How many real servers drain.
    public var drainingServerCount: Int {
        draining.reduce(0) { $0 + (mirror.virtualServers[$1]?.realServers.values.count { $0.drainingSince != nil } ?? 0) }
    }
}

extension Operation {
    fileprivate var deletedVirtualServer: VirtualServer.Identity? {
        if case .deleteVirtualServer(let identity) = self { identity } else { nil }
    }

    fileprivate var drainedVirtualServer: VirtualServer.Identity? {
        if case .editRealServer(let identity, let server) = self, server.drainingSince != nil { identity } else { nil }
    }

    fileprivate var changesTheDevice: Bool { self == .createDevice || self == .deleteDevice }
}
