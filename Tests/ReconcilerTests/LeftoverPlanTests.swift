import Model
import Testing

@testable import Reconciler

private let chain = Rules.Chain(.nat, "KUBE-SERVICES")
private let leftovers = Leftovers(
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

@Suite struct `Leftover rules of other proxy modes` {
    private let removals: [Operation] = [.removeLeftoverRules(leftovers), .deleteLeftoverTable(.ipv4)]

    @Test func `are removed after everything else is applied`() {
        let operations = plan(state(leftovers), state(served: true)).operations
        #expect(operations.suffix(2) == removals[...])
        #expect(operations.map(\.kind) == [.addVirtualServer, .bind, .removeLeftoverRules, .deleteLeftoverTable])
    }

    @Test func `are kept while removals are suspended`() {
        #expect(Plan(from: state(leftovers), to: state(), drainTimeout: .zero, now: .init(nanoseconds: 0), suspendsRemovals: true).isEmpty)
    }

    @Test func `are removed if only rules or only a table remain`() {
        #expect(plan(state(Leftovers(.ipv4, hasTable: true)), state()).operations == [.deleteLeftoverTable(.ipv4)])
        let rules = Leftovers(.ipv4, chains: leftovers.chains, jumps: leftovers.jumps)
        #expect(plan(state(rules), state()).operations == [.removeLeftoverRules(rules)])
    }

    @Test func `are kept until our rules are in place, because they may still serve traffic`() {
        let unmet = UnmetDependencies(failed: [], rules: [.ipv4])
        for removal in removals { #expect(unmet.dependency(of: removal) == .rules(.ipv4)) }
        #expect(unmet.dependency(of: .deleteLeftoverTable(.ipv6)) == nil)
    }

    @Test func `are described by the commands that remove them`() {
        #expect(
            removals.map(\.command) == [
                "iptables-restore --noflush (remove 1 jumps, 2 chains left by kube-proxy's iptables mode)",
                "nft delete table ip kube-proxy",
            ])
    }
}
