import Model
import Reconciler
import TestSupport
import Testing

private let start = Timestamp.seconds(0)

private func address(_ text: String) -> IPAddress { IPAddress(text) ?? IPAddress(v4: 0) }

private func identity(_ location: String = "10.96.0.1", _ transport: Transport = .tcp) -> VirtualServer.Identity {
    VirtualServer.Identity(transport, AddressPort(address(location), 80))
}

private func realServer(_ number: UInt32, weight: UInt32 = 1, connections: RealServer.Connections? = nil, since: Timestamp? = nil)
    -> RealServer
{
    RealServer(AddressPort(IPAddress(v4: 0x0af4_0000 + number), 8080), weight: weight, connections: connections, drainingSince: since)
}

private func plan(_ observed: NodeState, _ desired: NodeState, _ scope: Scope = .everything, at now: Timestamp = start) -> Plan {
    Plan(from: observed, to: desired, scope: scope, drainTimeout: .seconds(900), now: now)
}

private func applying(_ plan: Plan, to state: NodeState) -> NodeState {
    plan.operations.reduce(into: state) { $0.apply($1) }
}

/// Returns the state without draining servers and without kernel-only values.
private func settled(_ state: NodeState, draining: Set<VirtualServer.Identity>) -> NodeState {
    var state = state
    for (key, server) in state.virtualServers {
        for real in server.realServers {
            let location = real.location
            if real.drainingSince != nil, draining.contains(key) {
                state.virtualServers[key]?.realServers[location] = nil
            } else {
                state.virtualServers[key]?.realServers[location] = RealServer(location, weight: real.weight)
            }
        }
    }
    for name in state.sets.keys { state.sets[name]?.capacity = 65536 }
    return state
}

@Suite struct `A plan` {
    @Test(arguments: 0..<400 as Range<UInt64>)
    func `reaches the desired state except for draining servers, and the next one is empty`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let observed = NodeState.random(using: &generator, isObserved: true)
        let desired = NodeState.random(using: &generator, isObserved: false)
        let plan = plan(observed, desired)
        let reached = applying(plan, to: observed)
        #expect(settled(reached, draining: plan.draining).virtualServers == desired.virtualServers)
        #expect(reached.addresses == desired.addresses && reached.routes == desired.routes)
        #expect(reached.isDeviceUp || !desired.isDeviceUp)
        #expect(
            reached.sets.mapValues(\.members)
                == desired.sets.mapValues(\.members).merging(reached.sets.mapValues(\.members)) { wanted, _ in wanted })
        #expect(reached.rules == desired.rules)
        #expect(reached.leftovers.isEmpty && reached.rulesInOtherBackends.isEmpty)
        #expect(reached.hasDevice)
        #expect(Plan(from: reached, to: desired, drainTimeout: .seconds(900), now: start).isEmpty)
        #expect(plan.operations.drop { $0.kind != .flushConntrack }.allSatisfy { $0.kind == .flushConntrack }, "conntrack is flushed last")
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `of a limited scope has the same operations for it as a complete plan`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let observed = NodeState.random(using: &generator, isObserved: true)
        let desired = NodeState.random(using: &generator, isObserved: false)
        var selection = Scope.Selection(
            virtualServers: Set(observed.virtualServers.keys).union(desired.virtualServers.keys),
            addresses: Set([observed, desired].flatMap { Array($0.addresses.keys) + $0.routes.keys }), rules: [.ipv4, .ipv6])
        for (name, set) in desired.sets {
            selection.members[name] = Set(set.members.keys).union(observed.sets[name]?.members.keys.map(\.self) ?? [])
        }
        #expect(Set(plan(observed, desired, .only(selection)).operations) == Set(plan(observed, desired).operations))
        #expect(plan(observed, desired, .nothing).operations.allSatisfy { [.createDevice, .setDeviceUp].contains($0) })
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `binds addresses after rules, sets and virtual servers are in place, and unbinds them before those are removed`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let observed = NodeState.random(using: &generator, isObserved: true)
        let desired = NodeState.random(using: &generator, isObserved: false)
        let kinds = plan(observed, desired).operations.map(\.kind)
        let order: [[OperationKind]] = [
            [.createSet, .replaceSet], [.addMember], [.restoreRules], [.createDevice, .setDeviceUp],
            [.addVirtualServer, .editVirtualServer, .addRealServer, .editRealServer],
            [.bind, .addRoute],
        ]
        if let lastBind = kinds.lastIndex(where: { [.bind, .addRoute].contains($0) }) {
            let additions = kinds[...lastBind].compactMap { kind in order.firstIndex { $0.contains(kind) } }
            #expect(additions == additions.sorted())
        }
        let removalOrder: [[OperationKind]] = [[.deleteRealServer], [.unbind, .removeRoute], [.deleteVirtualServer], [.removeMember]]
        if let firstRemoval = kinds.firstIndex(where: { kind in removalOrder.contains { $0.contains(kind) } }) {
            let removals = kinds[firstRemoval...].compactMap { kind in removalOrder.firstIndex { $0.contains(kind) } }
            #expect(removals == removals.sorted())
            #expect(!kinds[firstRemoval...].contains { [.bind, .addRoute].contains($0) })
        }
    }

    @Test func `adds real servers in the same order on every node`() throws {
        let servers = [realServer(3), realServer(1), realServer(2)]
        let desired = NodeState(virtualServers: [VirtualServer(identity(), realServers: servers)], hasDevice: true)
        let added = plan(NodeState(hasDevice: true), desired).operations.compactMap { operation -> AddressPort? in
            if case .addRealServer(_, let server) = operation { server.location } else { nil }
        }
        #expect(added == servers.map(\.location).sorted())
    }

    @Test func `replaces a set that is too small with a larger one in one operation`() throws {
        var desired = AddressSet(AddressSet.Name("KUBE-A"), kind: .hashIPPort, family: .ipv4, capacity: 4)
        for port in 1...9 as ClosedRange<UInt16> {
            desired.members.updateValue(nil, forKey: .addressPort(AddressPort(address("10.96.0.1"), port), .tcp))
        }
        let observed = AddressSet(desired.name, kind: .hashIPPort, family: .ipv4, capacity: 8)
        let operations = plan(NodeState(hasDevice: true, sets: [observed]), NodeState(hasDevice: true, sets: [desired])).operations
        guard case .replaceSet(let set)? = operations.first, operations.count == 1 else {
            Issue.record("\(operations)")
            return
        }
        #expect(set.capacity == 32)
        #expect(set.members.count == 9)
    }
}

@Suite struct `Draining` {
    private let desired = NodeState(virtualServers: [VirtualServer(identity())], hasDevice: true)

    private func observed(_ server: RealServer, _ transport: Transport = .tcp) -> NodeState {
        NodeState(virtualServers: [VirtualServer(identity("10.96.0.1", transport), realServers: [server])], hasDevice: true)
    }

    @Test func `starts with weight 0, regardless of connections`() throws {
        for connections in [nil, RealServer.Connections(active: 0, inactive: 0), RealServer.Connections(active: 9, inactive: 0)] {
            let plan = plan(observed(realServer(1, connections: connections)), desired, at: .seconds(5))
            guard case .editRealServer(_, let drained)? = plan.operations.first, plan.operations.count == 1 else {
                Issue.record("\(plan.operations)")
                return
            }
            #expect(drained.weight == 0 && drained.drainingSince == .seconds(5) && drained.connections == nil)
            #expect(plan.draining == [identity()])
        }
    }

    @Test func `waits for connection counts that were read after the weight was set to 0`() {
        let plan = plan(observed(realServer(1, weight: 0, connections: nil, since: start)), desired)
        #expect(plan.isEmpty && plan.draining == [identity()])
    }

    @Test func `waits while there are active or inactive connections`() {
        for connections in [RealServer.Connections(active: 1, inactive: 0), RealServer.Connections(active: 0, inactive: 1)] {
            #expect(plan(observed(realServer(1, weight: 0, connections: connections, since: start)), desired, at: .seconds(899)).isEmpty)
        }
    }

    @Test func `ends when the last connection has ended`() {
        let idle = RealServer.Connections(active: 0, inactive: 0, persistent: 7)
        let operations = plan(observed(realServer(1, weight: 0, connections: idle, since: start)), desired).operations
        #expect(operations == [.deleteRealServer(identity(), realServer(1).location)])
    }

    @Test func `ends at its deadline`() {
        let busy = RealServer.Connections(active: 4, inactive: 0)
        let operations = plan(observed(realServer(1, weight: 0, connections: busy, since: start)), desired, at: .seconds(900)).operations
        #expect(operations == [.deleteRealServer(identity(), realServer(1).location)])
    }

    @Test(arguments: [Transport.udp, .sctp]) func `does not apply to UDP and SCTP`(transport: Transport) {
        let busy = RealServer.Connections(active: 4, inactive: 4)
        let desired = NodeState(virtualServers: [VirtualServer(identity("10.96.0.1", transport))], hasDevice: true)
        let operations = plan(observed(realServer(1, connections: busy), transport), desired).operations
            .filter { $0.kind != .flushConntrack }
        #expect(operations == [.deleteRealServer(identity("10.96.0.1", transport), realServer(1).location)])
    }

    @Test func `is cancelled in one operation if the endpoint returns: its weight is restored in place`() {
        let wanted = NodeState(virtualServers: [VirtualServer(identity(), realServers: [realServer(1)])], hasDevice: true)
        let busy = RealServer.Connections(active: 4, inactive: 0)
        let operations = plan(observed(realServer(1, weight: 0, connections: busy, since: start)), wanted).operations
        #expect(operations == [.editRealServer(identity(), realServer(1))])
    }
}

@Suite struct `Removing everything` {
    @Test(arguments: 0..<100 as Range<UInt64>) func `leaves nothing`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var observed = NodeState.random(using: &generator, isObserved: true)
        // Those of every backend are in `rulesInOtherBackends`.
        observed.rules = [:]
        let plan = Plan(removing: observed)
        #expect(applying(plan, to: observed) == NodeState())
        let udp = observed.virtualServers.keys.filter { $0.transport == .udp }.sorted()
        #expect(plan.operations.suffix(udp.count) == udp.map { .flushConntrack($0, except: []) }[...])
    }
}
