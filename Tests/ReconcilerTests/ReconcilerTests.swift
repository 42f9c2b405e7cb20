import Model
import Reconciler
import TestSupport
import Testing

private let address = IPAddress("10.96.0.1") ?? IPAddress(v4: 0)
private let identity = VirtualServer.Identity(.tcp, AddressPort(address, 80))
private let pod = RealServer(AddressPort(IPAddress("10.244.0.1") ?? IPAddress(v4: 0), 8080))

private func adopting(_ state: NodeState, desired: NodeState, isOurs: Bool = false) -> Reconciler {
    var reconciler = Reconciler(drainTimeout: .seconds(60))
    reconciler.merge(state, of: .everything, desired: desired, at: .seconds(0)) { _ in isOurs }
    return reconciler
}

@Suite struct `The reconciler` {
    private let desired = NodeState(
        virtualServers: [VirtualServer(identity, realServers: [pod])], addresses: [address: nil], hasDevice: true)

    @Test func `observes everything first`() {
        #expect(Reconciler(drainTimeout: .zero).scopeToObserve == .everything)
    }

    @Test func `never plans anything for a foreign virtual server`() {
        let foreign = VirtualServer(.init(.tcp, AddressPort(address, 9999)), realServers: [pod])
        let reconciler = adopting(NodeState(virtualServers: [foreign], hasDevice: true), desired: NodeState(hasDevice: true))
        #expect(reconciler.mirror.virtualServers.isEmpty)
        #expect(reconciler.plan(for: NodeState(hasDevice: true), at: .seconds(0)).isEmpty)
    }

    @Test func `removes what an earlier run left behind`() {
        let stale = VirtualServer(.init(.tcp, AddressPort(address, 9999)), realServers: [pod])
        let reconciler = adopting(NodeState(virtualServers: [stale], hasDevice: true), desired: NodeState(hasDevice: true), isOurs: true)
        #expect(reconciler.plan(for: NodeState(hasDevice: true), at: .seconds(0)).operations == [.deleteVirtualServer(stale.identity)])
    }

    @Test func `plans nothing after a plan is applied, until something changes`() {
        var reconciler = adopting(NodeState(), desired: desired)
        reconciler.carryOut(desired)
        #expect(reconciler.scopeToObserve.isEmpty && !reconciler.needsPlanning)
        #expect(reconciler.plan(for: desired, at: .seconds(1)).isEmpty)
    }

    @Test func `excludes from plans what must be observed first, and plans it after the observation`() {
        var reconciler = adopting(NodeState(hasDevice: true), desired: desired)
        reconciler.carryOut(desired) { $0 == .addRealServer(identity, pod) }
        reconciler.invalidate(.only(.init(virtualServers: [identity])))
        reconciler.markForPlanning(.everything)
        #expect(reconciler.carryOut(desired).isEmpty && !reconciler.needsPlanning)

        let seen = NodeState(virtualServers: [VirtualServer(identity)], hasDevice: true)
        reconciler.merge(seen, of: reconciler.scopeToObserve, desired: desired, at: .seconds(1)) { _ in false }
        #expect(reconciler.plan(for: desired, at: .seconds(1)).operations == [.addRealServer(identity, pod)])
    }

    @Test func `keeps scopes that are invalidated while another one is observed`() {
        var reconciler = adopting(desired, desired: desired)
        reconciler.carryOut(desired)
        reconciler.invalidate(.only(.init(virtualServers: [identity])))
        let other = VirtualServer.Identity(.udp, AddressPort(address, 53))
        reconciler.invalidate(.only(.init(virtualServers: [other])))
        reconciler.merge(desired, of: .only(.init(virtualServers: [identity])), desired: desired, at: .seconds(1)) { _ in false }
        #expect(reconciler.scopeToObserve == .only(.init(virtualServers: [other])))
    }

    @Test func `repairs real servers that an observation finds changed`() {
        var reconciler = adopting(desired, desired: desired)
        reconciler.carryOut(desired)
        let seen = NodeState(virtualServers: [VirtualServer(identity, realServers: [RealServer(pod.location, weight: 5)])], hasDevice: true)
        reconciler.merge(seen, of: .only(.init(realServers: [identity])), desired: desired, at: .seconds(1)) { _ in false }
        #expect(reconciler.plan(for: desired, at: .seconds(1)).operations == [.editRealServer(identity, pod)])
    }

    @Test func `treats all addresses as unbound if the device is missing`() {
        let other = IPAddress("10.96.0.2") ?? IPAddress(v4: 0)
        var desired = desired
        desired.addresses.updateValue(nil, forKey: other)
        var reconciler = adopting(desired, desired: desired)
        reconciler.carryOut(desired)
        reconciler.invalidate(.only(.init(addresses: [address])))
        var seen = NodeState(hasDevice: false)
        seen.virtualServers = [:]
        reconciler.merge(seen, of: reconciler.scopeToObserve, desired: desired, at: .seconds(1)) { _ in false }
        let operations = reconciler.plan(for: desired, at: .seconds(1)).operations
        #expect(operations == [.createDevice, .bind(address, nil), .bind(other, nil)])
    }

    @Test func `keeps the last known state of a virtual server whose change failed`() {
        var reconciler = adopting(desired, desired: desired)
        var changed = desired
        changed.virtualServers[identity]?.timeout = 10
        reconciler.markForPlanning(.only(.init(virtualServers: [identity])))
        #expect(!reconciler.carryOut(changed) { _ in true }.isEmpty)
        #expect(reconciler.mirror == desired)
    }

    @Test func `requests connection counts as soon as a server drains, and deletes it when it is idle`() {
        var reconciler = adopting(desired, desired: desired)
        var without = desired
        without.virtualServers[identity]?.realServers = []
        reconciler.carryOut(desired)
        reconciler.markForPlanning(.only(.init(virtualServers: [identity])))
        reconciler.carryOut(without, at: .seconds(1))
        #expect(reconciler.scopeToObserve == .only(.init(realServers: [identity])))
        #expect(reconciler.drainingServerCount == 1)

        var seen = desired
        seen.virtualServers[identity]?.realServers[pod.location] = RealServer(
            pod.location, weight: 0, connections: .init(active: 0, inactive: 0))
        reconciler.merge(seen, of: reconciler.scopeToObserve, desired: without, at: .seconds(1)) { _ in false }
        #expect(reconciler.carryOut(without, at: .seconds(1)).operations == [.deleteRealServer(identity, pod.location)])
        reconciler.pollDrainsAndSlowStarts()
        #expect(reconciler.draining.isEmpty && reconciler.scopeToObserve.isEmpty)
    }

    @Test func `continues a drain of an earlier run, with a new deadline`() {
        var seen = desired
        seen.virtualServers[identity]?.realServers[pod.location] = RealServer(
            pod.location, weight: 0, connections: .init(active: 2, inactive: 0))
        var without = desired
        without.virtualServers[identity]?.realServers = []
        var reconciler = adopting(seen, desired: without)
        #expect(reconciler.carryOut(without).isEmpty)
        #expect(reconciler.drainingServerCount == 1)
        reconciler.pollDrainsAndSlowStarts()
        reconciler.merge(seen, of: reconciler.scopeToObserve, desired: without, at: .seconds(60)) { _ in false }
        #expect(reconciler.plan(for: without, at: .seconds(60)).operations == [.deleteRealServer(identity, pod.location)])
    }
}
