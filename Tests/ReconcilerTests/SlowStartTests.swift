import Model
import Reconciler
import Testing

private let identity = VirtualServer.Identity(.tcp, AddressPort(IPAddress(v4: 0x0a60_0001), 80))

private func location(_ number: UInt32) -> AddressPort { AddressPort(IPAddress(v4: 0x0af4_0000 + number), 8080) }

private func state(_ servers: [RealServer], slowStart: Duration? = .seconds(100), drainTimeout: Duration? = nil) -> NodeState {
    NodeState(
        virtualServers: [
            VirtualServer(identity, scheduler: .weightedRoundRobin, realServers: servers, drainTimeout: drainTimeout, slowStart: slowStart)
        ], hasDevice: true)
}

private func servers(_ weights: UInt32...) -> [RealServer] {
    weights.enumerated().map { RealServer(location(UInt32($0.offset + 1)), weight: $0.element) }
}

/// An in-memory kernel and the reconciler that drives it.
private struct Kernel {
    var state: NodeState
    var reconciler = Reconciler(drainTimeout: .seconds(60))

    init(_ weights: [UInt32]) {
        state = SlowStartTests.observed(weights)
    }

    /// Performs one sync and returns the resulting weights in the order of addresses.
    mutating func sync(_ desired: NodeState, at seconds: Double, observing: Bool = false) -> [UInt32] {
        if observing { reconciler.invalidate(.everything) }
        let now = Timestamp.seconds(seconds)
        while !reconciler.scopeToObserve.isEmpty {
            let scope = reconciler.scopeToObserve
            reconciler.merge(state, of: scope, desired: desired, at: now) { _ in true }
        }
        reconciler.markForPlanning(.only(.init(virtualServers: [identity])))
        let plan = reconciler.nextPlan(for: desired, at: now).plan
        plan.operations.forEach { state.apply($0) }
        // The kernel does not keep these.
        for (key, server) in state.virtualServers {
            for location in server.realServers.locations {
                state.virtualServers[key]?.realServers[location]?.slowStartSince = nil
                state.virtualServers[key]?.realServers[location]?.drainingSince = nil
            }
        }
        reconciler.recordSuccess(plan.operations, desired: desired)
        return state.virtualServers[identity]?.realServers.map(\.weight) ?? []
    }
}

@Suite(.serialized) enum SlowStartTests {
    static func observed(_ weights: [UInt32]) -> NodeState {
        state(weights.enumerated().map { RealServer(location(UInt32($0.offset + 1)), weight: $0.element) }, slowStart: nil)
    }

    @Suite struct `A real server in slow start` {
        @Test func `starts with weight 1 and rises to its own weight`() {
            var kernel = Kernel([100])
            let desired = state(servers(100, 100))
            #expect(kernel.sync(desired, at: 0) == [100, 1])
            #expect(kernel.reconciler.hasSlowStarts)
            #expect(kernel.sync(desired, at: 1) == [100, 1])
            #expect(kernel.sync(desired, at: 30) == [100, 30])
            #expect(kernel.sync(desired, at: 99.5) == [100, 99])
            #expect(kernel.sync(desired, at: 100) == [100, 100])
            kernel.reconciler.pollDrainsAndSlowStarts()
            #expect(!kernel.reconciler.hasSlowStarts)
        }

        @Test func `rises in a poll without any other change`() {
            var kernel = Kernel([100])
            let desired = state(servers(100, 100))
            _ = kernel.sync(desired, at: 0)
            kernel.reconciler.pollDrainsAndSlowStarts()
            let plan = kernel.reconciler.plan(for: desired, at: .seconds(50))
            #expect(plan.operations.map(\.description) == ["ipvsadm -e -t 10.96.0.1:80 -r 10.244.0.2:8080 -m -w 50"])
        }

        @Test func `continues after a restart of the proxy or an observation of the kernel`() {
            let desired = state(servers(100, 100))
            var restarted = Kernel([100, 40])
            #expect(restarted.sync(desired, at: 1000) == [100, 40])
            #expect(restarted.reconciler.hasSlowStarts)
            #expect(restarted.sync(desired, at: 1030, observing: true) == [100, 70])
            #expect(restarted.sync(desired, at: 1060, observing: true) == [100, 100])
        }

        @Test func `starts again when it returns to service`() {
            var kernel = Kernel([100, 0])
            let desired = state(servers(100, 100))
            #expect(kernel.sync(desired, at: 500) == [100, 1])
            #expect(kernel.sync(desired, at: 525) == [100, 25])
        }

        @Test func `gets its own weight immediately if no other real server could take its share`() {
            var new = Kernel([])
            #expect(new.sync(state(servers(100, 100)), at: 0) == [100, 100])
            var alone = Kernel([0])
            #expect(alone.sync(state(servers(100)), at: 0) == [100])
            var all = Kernel([1, 1])
            #expect(all.sync(state(servers(100, 100)), at: 0) == [100, 100])
        }

        @Test func `drains like any other if it is removed while its weight rises`() {
            var kernel = Kernel([100])
            _ = kernel.sync(state(servers(100, 100)), at: 0)
            #expect(kernel.sync(state(servers(100)), at: 10) == [100, 0])
            kernel.reconciler.pollDrainsAndSlowStarts()
            #expect(!kernel.reconciler.hasSlowStarts)
        }

        @Test func `gets its own weight immediately when slow start is disabled`() {
            var kernel = Kernel([100])
            _ = kernel.sync(state(servers(100, 100)), at: 0)
            #expect(kernel.sync(state(servers(1, 1), slowStart: nil), at: 10) == [1, 1])
        }

        @Test func `gets a lower weight immediately`() {
            var kernel = Kernel([100, 100])
            #expect(kernel.sync(state(servers(100, 50)), at: 0) == [100, 50])
        }
    }

    @Suite struct `A real server with a desired weight of 0` {
        @Test func `does not drain and is kept`() {
            var kernel = Kernel([1, 1])
            let desired = state(servers(1, 0), slowStart: nil)
            #expect(kernel.sync(desired, at: 0) == [1, 0])
            #expect(kernel.sync(desired, at: 1000, observing: true) == [1, 0])
            #expect(kernel.reconciler.drainingServerCount == 0)
        }

        @Test func `drains once it is no longer desired, for the full drain timeout`() {
            var kernel = Kernel([1, 0])
            _ = kernel.sync(state(servers(1, 0), slowStart: nil), at: 0)
            let desired = state(servers(1), slowStart: nil)
            #expect(kernel.sync(desired, at: 1000) == [1, 0])
            #expect(kernel.reconciler.drainingServerCount == 1)
            #expect(kernel.sync(desired, at: 1059) == [1, 0])
            #expect(kernel.sync(desired, at: 1060) == [1])
        }
    }

    @Suite struct `A virtual server` {
        @Test func `can have its own drain timeout`() {
            let desired = state(servers(1), slowStart: nil, drainTimeout: .seconds(5))
            var kernel = Kernel([1, 1])
            #expect(kernel.sync(desired, at: 0) == [1, 0])
            #expect(kernel.sync(desired, at: 4) == [1, 0])
            #expect(kernel.sync(desired, at: 5) == [1])
        }

        private func added(_ scheduler: Scheduler, on node: String) -> [UInt32] {
            let desired = NodeState(
                virtualServers: [VirtualServer(identity, scheduler: scheduler, realServers: (1...7).map { RealServer(location($0)) })],
                hasDevice: true)
            var reconciler = Reconciler(drainTimeout: .zero, nodeName: node)
            reconciler.merge(NodeState(hasDevice: true), of: .everything, desired: desired, at: .seconds(0)) { _ in true }
            return reconciler.plan(for: desired, at: .seconds(0)).operations.compactMap { operation in
                guard case .addRealServer(_, let server) = operation else { return nil }
                return (1...7).first { location($0) == server.location }
            }
        }

        @Test(arguments: [Scheduler.maglevHash, .sourceHash, .destinationHash, .failover, .overflow])
        func `has the same real server order on every node if its scheduler depends on it`(scheduler: Scheduler) {
            for node in 1...20 { #expect(added(scheduler, on: "node\(node)") == Array(1...7)) }
        }

        @Test(arguments: [Scheduler.roundRobin, .leastConnections, .weightedLeastConnections])
        func `starts at a different real server on each node with any other scheduler`(scheduler: Scheduler) {
            let orders = (1...40).map { added(scheduler, on: "node\($0)") }
            #expect(orders.allSatisfy { $0.sorted() == Array(1...7) })
            #expect(Set(orders.compactMap(\.last)).count == 7, "each is first on some node")
            #expect(added(scheduler, on: "node1") == added(scheduler, on: "node1"))
        }
    }
}
