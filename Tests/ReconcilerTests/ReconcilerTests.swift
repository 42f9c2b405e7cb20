import Model
import Reconciler
import TestSupport
import Testing

private let address = IPAddress("10.96.0.1") ?? IPAddress(v4: 0)
private let identity = VirtualServer.Identity(.tcp, AddressPort(address, 80))
private let pod = RealServer(AddressPort(IPAddress("10.244.0.1") ?? IPAddress(v4: 0), 8080))

private func adopting(_ state: NodeState, desired: NodeState, isOurs: Bool = false) -> Reconciler {
    var reconciler = Reconciler(drainTimeout: .seconds(60))
    reconciler.adopt(state, of: .everything, desired: desired, at: .seconds(0)) { _ in isOurs }
    return reconciler
}

@Suite struct `The reconciler` {
    private let desired = NodeState(
        virtualServers: [VirtualServer(identity, realServers: [pod])], addresses: [address: nil], hasDevice: true)

    @Test func `looks at everything first`() {
        #expect(Reconciler(drainTimeout: .zero).scopeToObserve == .everything)
    }

    @Test func `never plans anything for a foreign virtual server`() {
        let foreign = VirtualServer(.init(.tcp, AddressPort(address, 9999)), realServers: [pod])
        let reconciler = adopting(NodeState(virtualServers: [foreign], hasDevice: true), desired: NodeState(hasDevice: true))
        #expect(reconciler.mirror.virtualServers.isEmpty)
        #expect(reconciler.plan(for: NodeState(hasDevice: true), at: .seconds(0)).isEmpty)
    }

    @Test func `takes away what a run before left`() {
        let stale = VirtualServer(.init(.tcp, AddressPort(address, 9999)), realServers: [pod])
        let reconciler = adopting(NodeState(virtualServers: [stale], hasDevice: true), desired: NodeState(hasDevice: true), isOurs: true)
        #expect(reconciler.plan(for: NodeState(hasDevice: true), at: .seconds(0)).operations == [.deleteVirtualServer(stale.identity)])
    }

    @Test func `does nothing after a sync that went through, until something changes`() {
        var reconciler = adopting(NodeState(), desired: desired)
        let plan = reconciler.plan(for: desired, at: .seconds(0))
        reconciler.finish(plan, Report(), desired: desired)
        #expect(reconciler.scopeToObserve.isEmpty)
        #expect(reconciler.plan(for: desired, at: .seconds(1)).isEmpty)
    }

    @Test func `looks again at what failed and plans just that again`() {
        var reconciler = adopting(NodeState(hasDevice: true), desired: desired)
        let plan = reconciler.plan(for: desired, at: .seconds(0))
        reconciler.finish(plan, Report(failures: [.init(.addRealServer(identity, pod), reason: "no memory")]), desired: desired)
        #expect(reconciler.scopeToObserve == .only(.init(virtualServers: [identity])))

        let seen = NodeState(virtualServers: [VirtualServer(identity)], hasDevice: true)
        reconciler.adopt(seen, of: reconciler.scopeToObserve, desired: desired, at: .seconds(1)) { _ in false }
        #expect(reconciler.plan(for: desired, at: .seconds(1)).operations == [.addRealServer(identity, pod)])
    }

    /// Everything but real servers.
    private func frame(_ state: NodeState) -> NodeState {
        var frame = state
        for key in frame.virtualServers.keys { frame.virtualServers[key]?.realServers = [:] }
        return frame
    }

    private func inStep(_ desired: NodeState) -> Reconciler {
        var reconciler = adopting(desired, desired: desired)
        reconciler.finish(reconciler.plan(for: desired, at: .seconds(0)), Report(), desired: desired)
        return reconciler
    }

    @Test func `audits the frame without forgetting the real servers it does not look at`() {
        var reconciler = inStep(desired)
        reconciler.adopt(frame(desired), of: .only(.init(frame: true)), desired: desired, at: .seconds(1)) { _ in false }
        #expect(reconciler.plan(for: desired, at: .seconds(1)).isEmpty)
        #expect(reconciler.mirror.virtualServers == desired.virtualServers)
    }

    @Test func `repairs what an audit of the frame finds changed, and takes away what it finds left over`() {
        let leftOver = VirtualServer(.init(.tcp, AddressPort(address, 9999)))
        var seen = frame(desired)
        seen.virtualServers[leftOver.identity] = leftOver
        seen.virtualServers[identity]?.timeout = 7
        seen.addresses = [:]
        var reconciler = inStep(desired)
        reconciler.adopt(seen, of: .only(.init(frame: true)), desired: desired, at: .seconds(1)) { _ in true }
        let kinds = reconciler.plan(for: desired, at: .seconds(1)).operations.map(\.kind)
        #expect(kinds == [.editVirtualServer, .bind, .deleteVirtualServer])
    }

    @Test func `asks for the real servers of a virtual server that an audit of the frame finds unexpectedly there`() {
        var reconciler = inStep(NodeState(hasDevice: true))
        reconciler.desiredStateChanged(.nothing)
        reconciler.adopt(frame(desired), of: .only(.init(frame: true)), desired: desired, at: .seconds(1)) { _ in false }
        #expect(reconciler.scopeToObserve == .only(.init(virtualServers: [identity])))
    }

    @Test func `makes anew a virtual server that an audit of the frame misses`() {
        var reconciler = inStep(desired)
        var seen = frame(desired)
        seen.virtualServers = [:]
        reconciler.adopt(seen, of: .only(.init(frame: true)), desired: desired, at: .seconds(1)) { _ in false }
        #expect(reconciler.plan(for: desired, at: .seconds(1)).operations.map(\.kind) == [.addVirtualServer, .addRealServer])
    }

    @Test func `repairs real servers that a part of an audit finds changed`() {
        var reconciler = inStep(desired)
        let seen = NodeState(virtualServers: [VirtualServer(identity, realServers: [RealServer(pod.location, weight: 5)])], hasDevice: true)
        reconciler.adopt(seen, of: .only(.init(realServers: [identity])), desired: desired, at: .seconds(1)) { _ in false }
        #expect(reconciler.plan(for: desired, at: .seconds(1)).operations == [.editRealServer(identity, pod)])
    }

    @Test func `that finds the device gone knows that all addresses went with it`() {
        let other = IPAddress("10.96.0.2") ?? IPAddress(v4: 0)
        var desired = desired
        desired.addresses.updateValue(nil, forKey: other)
        var reconciler = adopting(desired, desired: desired)
        reconciler.finish(reconciler.plan(for: desired, at: .seconds(0)), Report(), desired: desired)
        reconciler.distrust(.only(.init(addresses: [address])))
        var seen = NodeState(hasDevice: false)
        seen.virtualServers = [:]
        reconciler.adopt(seen, of: reconciler.scopeToObserve, desired: desired, at: .seconds(1)) { _ in false }
        let operations = reconciler.plan(for: desired, at: .seconds(1)).operations
        #expect(operations == [.createDevice, .bind(address, nil), .bind(other, nil)])
    }

    @Test func `keeps a virtual server whose change failed`() {
        var reconciler = adopting(desired, desired: desired)
        var changed = desired
        changed.virtualServers[identity]?.timeout = 10
        reconciler.desiredStateChanged(.only(.init(virtualServers: [identity])))
        let plan = reconciler.plan(for: changed, at: .seconds(0))
        reconciler.finish(plan, Report(failures: plan.operations.map { .init($0, reason: "busy") }), desired: changed)
        #expect(reconciler.mirror == desired)
    }

    @Test func `asks for connections right after a server began to drain, and deletes it when it is idle`() {
        var reconciler = adopting(desired, desired: desired)
        var without = desired
        without.virtualServers[identity]?.realServers = [:]
        reconciler.desiredStateChanged(.only(.init(virtualServers: [identity])))
        reconciler.finish(reconciler.plan(for: without, at: .seconds(1)), Report(), desired: without)
        #expect(reconciler.scopeToObserve == .only(.init(realServers: [identity])))
        #expect(reconciler.drainingServerCount == 1)

        var seen = desired
        seen.virtualServers[identity]?.realServers[pod.location] = RealServer(
            pod.location, weight: 0, connections: .init(active: 0, inactive: 0))
        reconciler.adopt(seen, of: reconciler.scopeToObserve, desired: without, at: .seconds(1)) { _ in false }
        let plan = reconciler.plan(for: without, at: .seconds(1))
        #expect(plan.operations == [.deleteRealServer(identity, pod.location)])
        reconciler.finish(plan, Report(), desired: desired)
        reconciler.inspectDraining()
        #expect(reconciler.draining.isEmpty && reconciler.scopeToObserve.isEmpty)
    }

    @Test func `takes up draining where a run before stopped, with a new deadline`() {
        var seen = desired
        seen.virtualServers[identity]?.realServers[pod.location] = RealServer(
            pod.location, weight: 0, connections: .init(active: 2, inactive: 0))
        var without = desired
        without.virtualServers[identity]?.realServers = [:]
        var reconciler = adopting(seen, desired: without)
        let plan = reconciler.plan(for: without, at: .seconds(0))
        #expect(plan.isEmpty)
        reconciler.finish(plan, Report(), desired: desired)
        #expect(reconciler.drainingServerCount == 1)
        reconciler.inspectDraining()
        reconciler.adopt(seen, of: reconciler.scopeToObserve, desired: without, at: .seconds(60)) { _ in false }
        #expect(reconciler.plan(for: without, at: .seconds(60)).operations == [.deleteRealServer(identity, pod.location)])
    }
}

@Suite struct `The sync schedule` {
    private func schedule() -> SyncSchedule {
        SyncSchedule(minInterval: .seconds(1), maxInterval: .seconds(30), firstRetry: .milliseconds(500))
    }

    @Test func `syncs at once the first time`() {
        #expect(schedule().due(at: .seconds(3)) == .seconds(3))
    }

    @Test func `rests after a sync, counted from its end, and takes what comes meanwhile together`() {
        var schedule = schedule()
        schedule.begin()
        schedule.end(at: .seconds(10), succeeded: true)
        schedule.request(at: .seconds(10.2))
        schedule.request(at: .seconds(10.8))
        #expect(schedule.due(at: .seconds(10.9)) == .seconds(11))
    }

    @Test func `syncs at once after a quiet time`() {
        var schedule = schedule()
        schedule.end(at: .seconds(10), succeeded: true)
        schedule.request(at: .seconds(20))
        #expect(schedule.due(at: .seconds(20)) == .seconds(20))
    }

    @Test func `syncs without a reason at the latest after the longest interval`() {
        var schedule = schedule()
        schedule.end(at: .seconds(10), succeeded: true)
        #expect(schedule.due(at: .seconds(12)) == .seconds(40))
    }

    @Test func `retries with growing intervals, never sooner than the rest and never later than the longest interval`() {
        var schedule = schedule()
        var waits: [Double] = []
        for _ in 0..<9 {
            schedule.begin()
            schedule.end(at: .seconds(0), succeeded: false)
            waits.append(Double(schedule.due(at: .seconds(0)).nanoseconds) / 1e9)
        }
        #expect(waits == [1, 1, 2, 4, 8, 16, 30, 30, 30])
        schedule.end(at: .seconds(0), succeeded: true)
        #expect(schedule.due(at: .seconds(0)) == .seconds(30))
    }
}
