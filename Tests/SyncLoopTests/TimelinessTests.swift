import Kubernetes
import Model
import Reconciler
import SyncLoop
import TestSupport
import Testing

/// Due work is done on time, whatever else happens.
@Suite struct `On time` {
    private let web = TestService("web", 10)
    private let busy = TestService("busy", 20)

    /// Changes endpoints of another Service every 100 ms.
    private func churn(_ node: inout SimulatedNode, for duration: Duration, _ check: (inout SimulatedNode) -> Void = { _ in }) {
        let end = node.now.advanced(by: duration)
        var number: UInt32 = 100
        while node.now < end {
            number = number == 120 ? 100 : number + 1
            node.absorb([busy.slice([number])])
            node.run(for: .milliseconds(100))
            check(&node)
        }
    }

    @Test(arguments: [Duration.zero, .milliseconds(100), .seconds(1)])
    func `a drain ends with its connections or at its deadline, even under constant churn`(minSyncPeriod: Duration) throws {
        let web = TestService("web", 10, annotations: ["kube-ipvs-proxy.io/drain-timeout": "10s"])
        var node = SimulatedNode.listed(
            [web.change, web.slice([1, 2, 3]), busy.change, busy.slice([100])], minSyncPeriod: minSyncPeriod, syncPeriod: .seconds(3600))
        node.kernel.connections = [web.endpoint(2): 1, web.endpoint(3): 1]
        node.absorb([web.slice([1])])
        let start = node.now
        churn(&node, for: .seconds(5))
        node.kernel.connections[web.endpoint(3)] = 0
        churn(&node, for: .seconds(15))
        func deletion(_ location: AddressPort) -> Double? {
            node.attempts { $0 == .deleteRealServer(web.identity, location) }.first.map { start.duration(to: $0) / .seconds(1) }
        }
        let (idle, timedOut) = try (#require(deletion(web.endpoint(3))), #require(deletion(web.endpoint(2))))
        #expect((5...6.2).contains(idle), "its connections ended after 5 s: \(idle)")
        #expect((10...12).contains(timedOut), "it may drain for 10 s: \(timedOut)")
    }

    @Test(arguments: [Duration.zero, .milliseconds(100), .seconds(1)])
    func `a slow start reaches its weight step by step within its duration, even under constant churn`(minSyncPeriod: Duration) throws {
        let web = TestService("web", 10, annotations: ["kube-ipvs-proxy.io/slow-start": "20s"])
        var node = SimulatedNode.listed(
            [web.change, web.slice([1]), busy.change, busy.slice([100])], minSyncPeriod: minSyncPeriod, syncPeriod: .seconds(3600))
        node.absorb([web.slice([1, 2])])
        let start = node.now
        var weights: [(Double, UInt32)] = []
        churn(&node, for: .seconds(26)) { node in
            guard let weight = node.kernel.state.virtualServers[web.identity]?.realServers[web.endpoint(2)]?.weight else { return }
            if weights.last?.1 != weight { weights.append((start.duration(to: node.now) / .seconds(1), weight)) }
        }
        let (end, full) = try #require(weights.last)
        #expect((20...24).contains(end), "\(weights)")
        #expect(weights.map(\.1) == weights.map(\.1).sorted() && weights.count >= 10 && full == weights.map(\.1).max(), "\(weights)")
        for (time, weight) in weights.dropLast() { #expect(Double(weight) <= Double(full) * (time / 20) + 2, "\(time): \(weight)") }
    }

    @Test func `a change waits for the minimum sync period after the previous one, and no longer`() {
        var node = SimulatedNode.listed([web.change, web.slice([1])], minSyncPeriod: .seconds(1))
        node.run(for: .seconds(5))
        node.absorb([web.slice([1, 2])])
        let start = node.now
        node.run(for: .milliseconds(10))
        #expect(node.attempts { $0.kind == .addRealServer }.count == 2, "at once after a quiet time")
        node.absorb([web.slice([1, 2, 3])])
        node.run(for: .milliseconds(500))
        node.absorb([web.slice([1, 2, 3, 4])])
        node.run(for: .seconds(1))
        let times = node.attempts { $0.kind == .addRealServer }.suffix(2).map { start.duration(to: $0) / .seconds(1) }
        #expect(times.allSatisfy { (1...1.1).contains($0) }, "\(times)")
    }

    @Test func `a poll takes no changes and does not count as their sync`() {
        var node = SimulatedNode.listed([web.change, web.slice([1, 2])], minSyncPeriod: .seconds(5))
        node.kernel.connections = [web.endpoint(2): 1]
        node.run(for: .seconds(5))
        node.absorb([web.slice([1])])
        node.settle()
        node.outcomes = []
        node.absorb([web.slice([1, 3], cause: node.wall)])
        node.run(for: .seconds(2))
        #expect(!node.outcomes.isEmpty && node.outcomes.allSatisfy(\.isObservationOnly))
        #expect(node.outcomes.flatMap(\.latencies).isEmpty)
        #expect(node.status.pendingChanges.slices.count == 1)
        node.run(for: .seconds(3))
        #expect(node.status.pendingChanges.slices.isEmpty)
        #expect(node.outcomes.flatMap(\.latencies).count == 1)
    }

    @Test func `a change during a running sync is settled by the next sync`() {
        var node = SimulatedNode.listed([web.change, web.slice([1])], minSyncPeriod: .seconds(1))
        node.run(for: .seconds(2))
        node.outcomes = []
        node.absorb([web.slice([1, 2], cause: node.wall)])
        guard case .apply = node.step() else {
            Issue.record("nothing was applied")
            return
        }
        node.absorb([web.slice([1, 2, 3], cause: node.wall)])
        while node.outcomes.isEmpty { _ = node.step() }
        #expect(node.outcomes[0].latencies.count == 1)
        #expect(node.status.pendingChanges.slices.count == 1)
        node.run(for: .seconds(2))
        #expect(node.outcomes.flatMap(\.latencies).count == 2)
    }

    @Test func `an audit of everything begins within a sync period, and its slices do not delay changes`() {
        let services = (0..<1000).map { TestService("s\($0)", UInt32($0) + 1000) }
        var node = SimulatedNode(minSyncPeriod: .milliseconds(100), syncPeriod: .seconds(30))
        node.absorb(services.flatMap { [$0.change, $0.slice([1, 2])] })
        node.list()
        node.settle()
        node.auditDuration = .milliseconds(500)
        node.kernel.clearHistory()
        // The rounds begin within a sync period, and their slow slices take 21 s.
        let end = node.now.advanced(by: .seconds(30 + 21))
        var slowest = 0.0
        var number: UInt32 = 100
        while node.now < end {
            number += 1
            let (start, target) = (node.now, services[0].endpoint(number))
            node.absorb([services[0].slice([1, 2, number])])
            node.run(for: .milliseconds(200))
            let done = node.attempts { if case .addRealServer(_, let server) = $0 { server.location == target } else { false } }.first
            slowest = max(slowest, done.map { start.duration(to: $0) / .milliseconds(1) } ?? .infinity)
        }
        #expect(slowest <= 100 + 20, "the minimum sync period, and no more")
        var audited: Set<VirtualServer.Identity> = []
        var (headers, device, sets) = (0, 0, 0)
        for case .only(let selection) in node.kernel.observations {
            audited.formUnion(selection.realServers)
            headers += selection.headers ? 1 : 0
            device += selection.device ? 1 : 0
            sets += selection.members.count
            #expect(selection.realServers.count <= 256)
        }
        #expect(audited.count == 1000 && headers >= 1 && device >= 1 && sets >= node.loop.desired.sets.count)
        #expect(!node.kernel.observations.contains(.everything))
    }

    @Test func `nothing is planned before the initial lists are complete and the node addresses are read`() {
        var node = SimulatedNode()
        node.kernel.putVirtualServer(VirtualServer(web.identity, realServers: [RealServer(web.endpoint(1))]))
        node.absorb([web.change, web.slice([1])])
        node.settle()
        #expect(node.kernel.isUntouched)
        node.addressesAreUnreadable = true
        node.list()
        node.settle()
        #expect(node.kernel.attempts.isEmpty)
        #expect(node.log.contains { $0.hasPrefix("Failed to read kernel state") } && !node.status.unreadable.isEmpty)
        node.addressesAreUnreadable = false
        node.run(for: .seconds(5))
        #expect(node.status.isInSync)
        #expect(!node.kernel.attempts.contains { $0.kind == .deleteVirtualServer }, "the state of an earlier run is kept")
    }

    @Test(arguments: 1...80) func `rules restored during a plan leave no operation waiting`(delay: Int) {
        var node = SimulatedNode(syncPeriod: .seconds(3600))
        node.stepDuration = .milliseconds(5)
        node.rulesDurations = [.ipv6: .milliseconds(10), .ipv4: .milliseconds(10 + delay)]
        let services = (0..<3).map { TestService("s\($0)", UInt32($0) + 10, [.tcp, .udp][$0 % 2]) }
        node.absorb(services.flatMap { [$0.change, $0.slice([1, 2])] })
        node.list()
        node.run(for: .seconds(3))
        #expect(node.kernel.differences(from: node.loop.desired) == [] && node.status.isInSync)
        #expect(node.status.pendingServices.isEmpty)
    }

    @Test func `serving starts once the Node object exists`() {
        var node = SimulatedNode(nodeWait: NodeWait(needsPodCIDRs: false))
        node.absorb([web.change, web.slice([1])])
        node.list()
        node.settle()
        #expect(node.kernel.isUntouched)
        node.absorb([
            .node("node1", Node(metadata: ObjectMeta(name: "node1"), addresses: [NodeAddress(type: "InternalIP", address: "192.0.2.1")]))
        ])
        node.settle()
        #expect(node.status.isInSync)
    }
}
