import Model
import Reconciler
import TestSupport
import Testing

@testable import SyncLoop

/// Audits read the complete kernel state in every sync period, unless that would use too much CPU time.
@Suite struct `The pace of audits` {
    private struct Load: CustomTestStringConvertible {
        var services: Int
        /// The CPU time of a slice of real servers and of each other slice.
        var realServers: Duration
        var others: Duration
        /// The expected durations of the rounds.
        var expectedRealServers: ClosedRange<Double>
        var expectedOverview: ClosedRange<Double>

        var testDescription: String { "\(services) Services, \(realServers) and \(others)" }
    }

    /// The overview of both families has 38 slices with a cost.
    private static let loads = [
        Load(services: 10, realServers: .zero, others: .zero, expectedRealServers: 29...31, expectedOverview: 29...31),
        Load(
            services: 10, realServers: .milliseconds(2), others: .microseconds(100), expectedRealServers: 29...31, expectedOverview: 29...31
        ),
        Load(
            services: 2000, realServers: .milliseconds(5), others: .microseconds(200), expectedRealServers: 29...31,
            expectedOverview: 29...31),
        // 8 slices of 40 ms: 80 s at 0.4 % of a core, of which the overview takes little.
        Load(
            services: 2000, realServers: .milliseconds(40), others: .microseconds(10), expectedRealServers: 80...87,
            expectedOverview: 29...40),
        // The overview alone would take more than the whole share: it gets half of it, and the real servers the other half.
        Load(
            services: 2000, realServers: .milliseconds(40), others: .milliseconds(40), expectedRealServers: 120...250,
            expectedOverview: 640...840),
    ]

    @Test(arguments: loads) private func `follows from the CPU time of slices, and is at most 0.4 % of a core`(load: Load) {
        let services = (0..<load.services).map { TestService("s\($0)", UInt32($0) + 1000) }
        var node = SimulatedNode()
        node.absorb(services.flatMap { [$0.change, $0.slice([1])] })
        node.list()
        node.settle()
        let cost: @Sendable (Audit.Slice) -> Duration = { slice in
            switch slice {
            case .realServers: load.realServers
            case .rules: .zero
            default: load.others
            }
        }
        node.auditCost = cost
        node.run(for: .seconds(60))
        node.audits = []
        let start = node.loop.auditStatus.cost
        node.run(for: .seconds(1750))
        let used = node.loop.auditStatus.cost - start
        #expect(used <= .milliseconds(7000 + 4) + max(load.realServers, load.others), "\(used) of 1750 s")
        #expect(used == node.audits.reduce(.zero) { $0 + cost($1.slice) })
        let status = node.loop.auditStatus
        #expect(load.expectedRealServers.contains(status.realServers.map { $0 / .seconds(1) } ?? 0), "\(status)")
        #expect(load.expectedOverview.contains(status.overview.map { $0 / .seconds(1) } ?? 0), "\(status)")
    }

    /// 8 slices of 40 ms take 80 s at 0.4 % of a core.
    @Test(
        arguments: [
            (Duration.zero, 78...87), (.milliseconds(1), 78...90),
            // A quarter of the 120 ms in each period of 30 s.
            (.milliseconds(15), 98...115),
            // Half of them, however much the rules take.
            (.milliseconds(30), 150...175), (.seconds(20), 150...175),
        ] as [(Duration, ClosedRange<Double>)])
    func `leaves room for the programs that read rules, but keeps half of its share`(cost: Duration, expected: ClosedRange<Double>) {
        let services = (0..<2000).map { TestService("s\($0)", UInt32($0) + 1000) }
        var node = SimulatedNode()
        node.absorb(services.flatMap { [$0.change, $0.slice([1])] })
        node.list()
        node.settle()
        node.auditCost = { if case .realServers = $0 { .milliseconds(40) } else { .zero } }
        node.rulesCost = cost
        node.run(for: .seconds(500))
        let status = node.loop.auditStatus
        #expect(expected.contains(status.realServers.map { $0 / .seconds(1) } ?? 0), "\(status)")
    }

    @Test func `lets slices after an expensive one catch up`() {
        let services = (0..<2000).map { TestService("s\($0)", UInt32($0) + 1000) }
        var node = SimulatedNode()
        node.absorb(services.flatMap { [$0.change, $0.slice([1])] })
        node.list()
        node.settle()
        node.run(for: .seconds(31))
        node.auditCost = { if case .realServers = $0 { .milliseconds(50) } else { .zero } }
        node.run(for: .seconds(4))
        node.auditCost = { _ in .zero }
        node.run(for: .seconds(60))
        #expect(node.loop.auditStatus.realServers.map { $0 < .seconds(32) } ?? false)
    }

    @Test func `is logged when it is far below the sync period, once`() {
        var node = SimulatedNode.listed([TestService("web", 10).change])
        node.auditCost = { if case .realServers = $0 { .seconds(1) } else { .zero } }
        node.run(for: .seconds(3000))
        let notices = node.notices.filter { $0.message == "Auditing takes longer than the sync period to limit its CPU time" }
        #expect(notices.count == 1 && notices.first?.severity == .info)
    }

    @Test func `limits slices of large Services by their real servers`() {
        let services = (0..<40).map { TestService("s\($0)", UInt32($0) + 1000) }
        var node = SimulatedNode.listed(services.flatMap { [$0.change, $0.slice(Array(1...500))] })
        node.run(for: .seconds(31))
        let sizes = node.audits.compactMap { if case .realServers(let identities) = $0.slice { identities.count } else { nil } }
        #expect(sizes.allSatisfy { $0 <= 9 } && sizes.reduce(0, +) >= 40, "\(sizes)")
    }

    @Test func `reads the node's addresses again only if an audit finds others`() {
        var node = SimulatedNode.listed([TestService("web", 10).change])
        let reads = { (node: SimulatedNode) in node.addressReads }
        let before = reads(node)
        node.run(for: .seconds(120))
        #expect(reads(node) == before)
        node.localAddresses.insert(IPAddress(v4: 0x0a63_0009))
        node.run(for: .seconds(32))
        #expect(reads(node) == before + 1)
    }
}

@Suite struct `An audit that cannot read` {
    /// Eight slices of real servers in a round of 30 s.
    @Test func `some real servers is a failure until a round without one`() throws {
        let services = (0..<2000).map { TestService("s\($0)", UInt32($0) + 1000) }
        var node = SimulatedNode.listed(services.flatMap { [$0.change, $0.slice([1])] })
        node.run(for: .seconds(31))
        let slices = node.audits.map(\.slice).filter { if case .realServers = $0 { true } else { false } }
        #expect(slices.count >= 8)
        node.unreadableSlices = [slices[2]]
        node.run(for: .seconds(60))
        node.audits = []
        let isReported = (0..<60).map { _ in
            node.run(for: .seconds(1))
            return node.status.unreadable.keys.contains(.virtualServers) && !node.status.isInSync
        }
        #expect(!isReported.contains(false), "in each second")
        #expect(node.audits.contains { $0.slice == slices[1] } && node.audits.contains { $0.slice == .headers })
        let failure = try #require(node.status.unreadable[.virtualServers])
        #expect(failure.isOfAudit && (6...8).contains(failure.attempts), "\(failure.attempts): twice in each round")
        node.unreadableSlices = []
        node.run(for: .seconds(62))
        #expect(node.status.unreadable.isEmpty && node.status.isInSync)
    }

    @Test(arguments: [Audit.Slice.headers, .device, .realServers([TestService("web", 10).identity])])
    func `a part once reads it again in the same round, before its failure makes the node unhealthy`(slice: Audit.Slice) {
        let web = TestService("web", 10)
        var node = SimulatedNode.listed([web.change, web.slice([1])], syncPeriod: .seconds(300))
        node.auditDuration = .milliseconds(500)
        node.unreadableSlices = [slice]
        for _ in 0..<400 where node.status.unreadable.isEmpty { node.run(for: .seconds(1)) }
        #expect(!node.status.unreadable.isEmpty)
        node.unreadableSlices = []
        node.run(for: .seconds(60))
        #expect(node.status.unreadable.isEmpty && node.status.isInSync)
    }

    @Test func `real servers is no failure any more when no virtual server is left`() {
        let web = TestService("web", 10)
        var node = SimulatedNode.listed([web.change, web.slice([1])])
        node.failsAudits = true
        node.run(for: .seconds(31))
        #expect(!node.status.isInSync)
        node.failsAudits = false
        node.absorb([web.removal])
        node.run(for: .seconds(62))
        #expect(node.status.unreadable.isEmpty && node.status.isInSync)
    }

    @Test func `anything takes no more than its share of a core`() {
        let services = (0..<2000).map { TestService("s\($0)", UInt32($0) + 1000) }
        var node = SimulatedNode.listed(services.flatMap { [$0.change, $0.slice([1])] })
        node.auditCost = { if case .rules = $0 { .zero } else { .milliseconds(40) } }
        node.failsAudits = true
        let start = node.loop.auditStatus.cost
        node.run(for: .seconds(1000))
        let used = node.loop.auditStatus.cost - start
        #expect(used > .seconds(3) && used <= .milliseconds(4000 + 4 + 40), "\(used) of 1000 s")
    }
}
