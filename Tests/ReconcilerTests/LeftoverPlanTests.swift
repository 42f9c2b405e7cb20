import Model
import TestSupport
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

    @Test func `are described by the commands that remove them`() {
        #expect(
            removals.map(\.command) == [
                "iptables-restore --noflush (remove 1 jumps, 2 chains left by kube-proxy's iptables mode)",
                "nft delete table ip kube-proxy",
            ])
    }
}

@Suite struct `Rules in another backend of iptables` {
    private let rules = BackendRules(
        .iptables(.legacy), .ipv4, chains: [chain], jumps: [Leftovers.Jump(.nat, from: "OUTPUT", "-j KUBE-SERVICES")])

    private func observed(_ rules: BackendRules..., inUse: Bool = false) -> NodeState {
        var observed = state()
        if !inUse { observed.rules = [:] }
        observed.rulesInOtherBackends = rules
        return observed
    }

    @Test func `are removed after the rules in use are restored and everything else is applied`() {
        let operations = plan(observed(rules), state(served: true)).operations
        #expect(operations.map(\.kind) == [.restoreRules, .addVirtualServer, .bind, .removeRules])
        #expect(operations.last == .removeRules(rules))
    }

    @Test func `are removed once`() {
        let before = observed(rules, inUse: true)
        #expect(plan(before, state()).operations == [.removeRules(rules)])
        var after = before
        after.apply(.removeRules(rules))
        #expect(plan(after, state()).isEmpty)
    }

    @Test func `are kept in a family that has no rules in use`() {
        #expect(plan(observed(BackendRules(.iptables(.legacy), .ipv6, chains: [chain], jumps: []), inUse: true), state()).isEmpty)
    }

    @Test func `are kept while removals are suspended`() {
        let before = observed(rules, inUse: true)
        #expect(Plan(from: before, to: state(), drainTimeout: .zero, now: .init(nanoseconds: 0), suspendsRemovals: true).isEmpty)
    }

    @Test func `are removed by a cleanup from every backend, before the sets that they refer to`() {
        let nft = BackendRules(.iptables(.nft), .ipv4, chains: [chain], jumps: [])
        var observed = NodeState(sets: [AddressSet(AddressSet.Name("KUBE-A"), kind: .hashIP, family: .ipv4, capacity: 2)])
        observed.rulesInOtherBackends = [rules, nft]
        #expect(
            Plan(removing: observed).operations == [.removeRules(rules), .removeRules(nft), .destroySet(AddressSet.Name("KUBE-A"))])
    }

    @Test func `are described by the program of their backend`() {
        #expect(Operation.removeRules(rules).command == "iptables-legacy-restore --noflush (remove 1 jumps, 1 chains)")
        let nft = BackendRules(.iptables(.nft), .ipv6, chains: [], jumps: rules.jumps)
        #expect(Operation.removeRules(nft).command == "ip6tables-nft-restore --noflush (remove 1 jumps, 0 chains)")
    }
}
