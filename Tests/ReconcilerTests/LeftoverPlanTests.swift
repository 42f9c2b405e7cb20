import Model
import Testing

@testable import Reconciler

private let chain = Rules.Chain(.nat, "KUBE-SERVICES")
private let left = Leftovers(
    .ipv4, chains: [Rules.Chain(.nat, "KUBE-SVC-A"), Rules.Chain(.filter, "KUBE-NODEPORTS")],
    jumps: [Leftovers.Jump(.filter, from: "INPUT", "-j KUBE-NODEPORTS")], hasTable: true)

private func state(_ leftovers: Leftovers? = nil, served: Bool = false) -> NodeState {
    var state = NodeState(hasDevice: true, rules: [Rules(.ipv4, chains: [chain: ["-j RETURN"]])])
    state.leftovers[.ipv4] = leftovers
    if served {
        let identity = VirtualServer.Identity(.tcp, AddressPort(IPAddress(v4: 0x0a60_0001), 80))
        state.virtualServers[identity] = VirtualServer(identity)
        state.addresses.updateValue(nil, forKey: identity.location.address)
    }
    return state
}

private func plan(_ observed: NodeState, _ desired: NodeState) -> Plan {
    Plan(from: observed, to: desired, drainTimeout: .zero, now: .init(nanoseconds: 0))
}

@Suite struct `What kube-proxy left in other modes` {
    private let removals: [Operation] = [.removeLeftoverRules(left), .deleteLeftoverTable(.ipv4)]

    @Test func `goes when all else stands`() {
        let operations = plan(state(left), state(served: true)).operations
        #expect(operations.suffix(2) == removals[...])
        #expect(operations.map(\.kind) == [.addVirtualServer, .bind, .removeLeftoverRules, .deleteLeftoverTable])
    }

    @Test func `stays while it is in doubt what exists`() {
        #expect(plan(state(left), state()).withoutRemovals().isEmpty)
    }

    @Test func `of rules or of tables alone goes alone`() {
        #expect(plan(state(Leftovers(.ipv4, hasTable: true)), state()).operations == [.deleteLeftoverTable(.ipv4)])
        let rules = Leftovers(.ipv4, chains: left.chains, jumps: left.jumps)
        #expect(plan(state(rules), state()).operations == [.removeLeftoverRules(rules)])
    }

    @Test func `waits for our rules, in whose place it may serve`() {
        let obstacles = Obstacles([Operation.restoreRules(Rules(.ipv4), missingJumps: [])])
        for removal in removals { #expect(obstacles.obstacle(to: removal) != nil) }
        #expect(obstacles.obstacle(to: .deleteLeftoverTable(.ipv6)) == nil)
    }

    @Test func `is looked at again and tried again where it does not go`() {
        var reconciler = Reconciler(drainTimeout: .zero)
        let desired = state()
        func sync(_ observed: NodeState, failing: Bool) -> [Operation] {
            reconciler.adopt(observed, of: reconciler.scopeToObserve, desired: desired, at: .init(nanoseconds: 0)) { _ in false }
            let plan = reconciler.plan(for: desired, at: .init(nanoseconds: 0))
            reconciler.finish(plan, Report(failures: failing ? plan.operations.map { .init($0, reason: "no") } : []), desired: desired)
            return plan.operations
        }
        #expect(sync(state(left), failing: true) == removals)
        #expect(reconciler.scopeToObserve == .only(.init(rules: [.ipv4])))
        let less = Leftovers(.ipv4, chains: [Rules.Chain(.nat, "KUBE-SVC-A")])
        #expect(sync(state(less), failing: false) == [.removeLeftoverRules(less)])
        #expect(reconciler.scopeToObserve.isEmpty && reconciler.mirror.leftovers.isEmpty)
    }

    @Test func `is named as the commands that take it away`() {
        #expect(
            removals.map(\.command) == [
                "iptables-restore --noflush (remove 1 jumps, 2 chains that kube-proxy's iptables mode left)",
                "nft delete table ip kube-proxy",
            ])
    }
}
