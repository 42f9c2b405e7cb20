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
        #expect(Plan(from: state(left), to: state(), drainTimeout: .zero, now: .init(nanoseconds: 0), suspendsRemovals: true).isEmpty)
    }

    @Test func `of rules or of tables alone goes alone`() {
        #expect(plan(state(Leftovers(.ipv4, hasTable: true)), state()).operations == [.deleteLeftoverTable(.ipv4)])
        let rules = Leftovers(.ipv4, chains: left.chains, jumps: left.jumps)
        #expect(plan(state(rules), state()).operations == [.removeLeftoverRules(rules)])
    }

    @Test func `waits for our rules, in whose place it may serve`() {
        let unmet = UnmetDependencies(failed: [], rules: [.ipv4])
        for removal in removals { #expect(unmet.dependency(of: removal) == .rules(.ipv4)) }
        #expect(unmet.dependency(of: .deleteLeftoverTable(.ipv6)) == nil)
    }

    @Test func `is named as the commands that take it away`() {
        #expect(
            removals.map(\.command) == [
                "iptables-restore --noflush (remove 1 jumps, 2 chains left by kube-proxy's iptables mode)",
                "nft delete table ip kube-proxy",
            ])
    }
}
