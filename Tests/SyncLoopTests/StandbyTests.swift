import Kubernetes
import Model
import Reconciler
import SyncLoop
import TestSupport
import Testing
import Translation

@Suite struct `A standby` {
    private let web = TestService("web", 10)
    private let other = TestService("other", 11)

    /// A node that the holder serves, and a standby on the same kernel.
    private struct Pair {
        var holder: SimulatedNode
        var standby: SimulatedNode

        init(_ changes: [ClusterChange], syncPeriod: Duration = .seconds(30)) {
            holder = .listed(changes, syncPeriod: syncPeriod)
            standby = SimulatedNode(syncPeriod: syncPeriod, isStandby: true)
            share { standby in
                standby.absorb(changes)
                standby.list()
                standby.settle()
            }
        }

        /// Lets the standby act on the kernel that the holder left.
        mutating func share(_ body: (inout SimulatedNode) -> Void) {
            standby.kernel = holder.kernel
            standby.kernel.clearHistory()
            body(&standby)
            holder.kernel = standby.kernel
        }

        mutating func absorb(_ changes: [ClusterChange], holderPrograms: Bool = true) {
            if holderPrograms {
                holder.absorb(changes)
                holder.settle()
            }
            share { standby in
                standby.absorb(changes)
                standby.settle()
            }
        }
    }

    @Test func `follows the cluster and observes the kernel, and changes and publishes nothing`() {
        var pair = Pair([web.change, web.slice([1])])
        #expect(pair.standby.loop.isStandby && pair.standby.loop.isReadyToTakeOver)
        pair.absorb([web.slice([1, 2]), other.change, other.slice([3])])
        pair.share { $0.run(for: .seconds(600)) }
        #expect(pair.standby.attemptTimes.isEmpty && pair.standby.outcomes.isEmpty && pair.standby.audits.isEmpty)
        #expect(pair.standby.loop.desired.virtualServers[other.identity] != nil)
    }

    @Test func `changes nothing when it takes over a kernel that the holder kept up to date`() {
        var pair = Pair([web.change, web.slice([1])])
        pair.absorb([web.slice([1, 2])])
        pair.absorb([other.change, other.slice([3])])
        pair.share { standby in
            standby.loop.takeOver(at: standby.now, wall: standby.wall)
            standby.settle()
        }
        #expect(pair.standby.attemptTimes.isEmpty, "\(pair.standby.attemptTimes)")
        #expect(pair.standby.status.isInSync && !pair.standby.outcomes.isEmpty)
        #expect(pair.standby.kernel.differences(from: pair.standby.loop.desired).isEmpty)
    }

    @Test func `programs what the holder did not, recent changes before it verifies everything`() throws {
        var pair = Pair([web.change, web.slice([1])])
        pair.standby.stepDuration = .milliseconds(50)
        pair.absorb([web.slice([1, 2])], holderPrograms: false)
        var begin = pair.standby.now
        var steps: [SyncLoop.Step] = []
        pair.share { standby in
            begin = standby.now
            standby.loop.takeOver(at: standby.now, wall: standby.wall)
            for _ in 0..<200 {
                let step = standby.step()
                if case .wait = step { break }
                steps.append(step)
            }
        }
        let add = try #require(pair.standby.attemptTimes.first { $0.operation.kind == .addRealServer })
        #expect(begin.duration(to: add.time) <= .milliseconds(100))
        let applied = try #require(steps.firstIndex { if case .apply = $0 { true } else { false } })
        let verified = try #require(steps.firstIndex { if case .observe(.everything) = $0 { true } else { false } })
        let published = try #require(steps.firstIndex { if case .publish = $0 { true } else { false } })
        #expect(applied < verified && verified < published)
    }

    @Test func `acts on the kernel as the holder left it, not as it observed it before`() {
        var pair = Pair([web.change, web.slice([1, 2]), other.change, other.slice([3])])
        // All of this happens after the standby observed the kernel, and long before it takes over.
        pair.absorb([web.slice([4, 5])])
        pair.absorb([other.removal])
        pair.share { $0.run(for: .seconds(300)) }
        pair.share { standby in
            standby.kernel.setWeight(7, of: web.endpoint(4), in: web.identity)
            standby.loop.takeOver(at: standby.now, wall: standby.wall)
            standby.run(for: .seconds(5))
        }
        #expect(pair.standby.kernel.differences(from: pair.standby.loop.desired).isEmpty)
        #expect(pair.standby.kernel.violations.isEmpty)
        let failed = pair.standby.outcomes.filter { !$0.succeeded }
        #expect(failed.isEmpty, "no operation is refused because of an old observation")
    }

    @Test func `removes what the holder did not, of a Service that came and went after the observation`() {
        var pair = Pair([web.change, web.slice([1])])
        pair.absorb([other.change, other.slice([3])])
        pair.absorb([other.removal], holderPrograms: false)
        pair.share { standby in
            standby.loop.takeOver(at: standby.now, wall: standby.wall)
            standby.run(for: .seconds(5))
        }
        #expect(pair.standby.kernel.differences(from: pair.standby.loop.desired) == [])
        #expect(pair.standby.kernel.violations == [])
    }

    @Test func `observes again what it was observing when it took over`() {
        let holder = SimulatedNode.listed([web.change, web.slice([1])])
        var standby = SimulatedNode(isStandby: true)
        standby.kernel = holder.kernel
        standby.absorb([web.change, web.slice([1, 2])])
        standby.list()
        // Up to the observation, whose result is from before the end of the holder.
        while true {
            let step = standby.loop.next(at: standby.now, wall: standby.wall)
            if case .observe(let scope) = step {
                let old = Result { try standby.kernel.observe(scope) }
                standby.kernel.removeVirtualServer(web.identity)
                standby.loop.takeOver(at: standby.now, wall: standby.wall)
                standby.loop.observed(old, of: scope, at: standby.now)
                break
            }
            standby.perform(step)
        }
        standby.run(for: .seconds(5))
        #expect(standby.kernel.differences(from: standby.loop.desired).isEmpty)
    }

    @Test func `that takes over before it has read the cluster removes nothing`() {
        let holder = SimulatedNode.listed([web.change, web.slice([1])])
        var standby = SimulatedNode(isStandby: true)
        standby.kernel = holder.kernel
        standby.settle()
        standby.loop.takeOver(at: standby.now, wall: standby.wall)
        standby.run(for: .seconds(5))
        #expect(standby.attemptTimes.isEmpty)
        standby.absorb([web.change, web.slice([1, 2])])
        standby.list()
        standby.run(for: .seconds(5))
        #expect(standby.kernel.differences(from: standby.loop.desired).isEmpty && standby.status.isInSync)
    }

    @Test func `repairs rules that others changed while it waited`() {
        var pair = Pair([web.change, web.slice([1])])
        pair.share { standby in
            standby.kernel.removeRules(.ipv4)
            standby.loop.takeOver(at: standby.now, wall: standby.wall)
            standby.run(for: .seconds(5))
        }
        #expect(pair.standby.kernel.differences(from: pair.standby.loop.desired).isEmpty)
    }
}
