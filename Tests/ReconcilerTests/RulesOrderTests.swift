import Model
import Reconciler
import TestSupport
import Testing

private let guardChain = Rules.Chain(.filter, "KUBE-A")
private let otherChain = Rules.Chain(.nat, "KUBE-B")

private func state(_ guardRules: [Rule], _ otherRules: [Rule] = [], serves: Bool = true, jumps: [Rules.Jump] = []) -> NodeState {
    let address = IPAddress(v4: 0x0a60_0001)
    return NodeState(
        virtualServers: serves ? [VirtualServer(.init(.tcp, AddressPort(address, 80)))] : [], addresses: serves ? [address: nil] : [:],
        hasDevice: true, rules: [Rules(.ipv4, chains: [guardChain: guardRules, otherChain: otherRules], jumps: jumps)])
}

private func plan(_ observed: NodeState, _ desired: NodeState, suspendsRemovals: Bool = false) -> Plan {
    Plan(from: observed, to: desired, drainTimeout: .seconds(900), now: .seconds(0), suspendsRemovals: suspendsRemovals)
}

private func restored(_ plan: Plan) -> [[Rules.Chain: [Rule]]] {
    plan.operations.compactMap { if case .restoreRules(let rules, _) = $0 { rules.chains } else { nil } }
}

@Suite struct `Rules in a plan` {
    @Test func `are removed after the addresses they protect`() {
        let plan = plan(state(["a", "b", "c"]), state(["a", "c"], serves: false))
        #expect(plan.operations.map(\.kind) == [.unbind, .deleteVirtualServer, .restoreRules])
    }

    @Test func `are added before the addresses they protect`() {
        let plan = plan(state(["a"], serves: false), state(["a", "b"]))
        #expect(plan.operations.map(\.kind) == [.restoreRules, .addVirtualServer, .bind])
    }

    @Test func `are restored twice if one chain gains and another loses rules, so that protection never weakens`() {
        let plan = plan(state(["a", "b"], ["x"]), state(["a"], ["x", "y"], serves: false))
        #expect(plan.operations.map(\.kind) == [.restoreRules, .unbind, .deleteVirtualServer, .restoreRules])
        #expect(restored(plan) == [[guardChain: ["a", "b"], otherChain: ["x", "y"]], [guardChain: ["a"], otherChain: ["x", "y"]]])
    }

    @Test func `that only change their order are restored first`() {
        let plan = plan(state(["a", "b"]), state(["b", "a"], serves: false))
        #expect(plan.operations.map(\.kind) == [.restoreRules, .unbind, .deleteVirtualServer])
    }

    @Test func `are kept while removals are suspended`() {
        #expect(plan(state(["a", "b"]), state(["a"], serves: false), suspendsRemovals: true).isEmpty)
        let mixed = plan(state(["a", "b"], ["x"]), state(["a"], ["x", "y"], serves: false), suspendsRemovals: true)
        #expect(restored(mixed) == [[guardChain: ["a", "b"], otherChain: ["x", "y"]]])
    }

    @Test func `get a missing jump before anything is added`() {
        let jump = Rules.Jump(.filter, from: "INPUT", to: "KUBE-A", comment: "c")
        let plan = plan(state(["a", "b"], serves: false), state(["a"], jumps: [jump]))
        #expect(plan.operations.map(\.kind) == [.restoreRules, .addVirtualServer, .bind, .restoreRules])
        #expect(
            plan.operations.first
                == .restoreRules(Rules(.ipv4, chains: [guardChain: ["a", "b"], otherChain: []], jumps: [jump]), missingJumps: [jump]))
    }
}
