import Kubernetes
import Model
import Reconciler
import SyncLoop
import TestSupport
import Testing
import Translation

private let web = TestService("web", 10)

/// What the kernel announces is repaired at once. Audits are an hour apart, so that they find nothing in these tests.
@Suite struct `Announced changes` {
    private let other = TestService("other", 20)

    /// A change by another program, as the kernel makes and announces it.
    enum Change: String, CaseIterable {
        case addressRemoved, addressAdded, deviceDeleted, deviceReplaced, setEmptied, memberAdded, rulesRemoved

        func make(in kernel: inout FakeKernel) -> [KernelChange] {
            let foreign = IPAddress(v4: 0x0a60_4d4d)
            let set = KubeSet.clusterIP.name(.ipv4)
            switch self {
            case .addressRemoved:
                kernel.removeAddress(web.clusterIP)
                return [.address(web.clusterIP, isBound: false)]
            case .addressAdded:
                kernel.addAddress(foreign)
                return [.address(foreign, isBound: true)]
            case .deviceDeleted:
                kernel.removeDevice()
                return [.device(exists: false, isUp: false)]
            case .deviceReplaced:
                // The addresses of a device are gone after it was deleted, even if another one has its name.
                kernel.removeDevice()
                _ = kernel.apply(.createDevice)
                return [.device(exists: false, isUp: false), .device(exists: true, isUp: true)]
            case .setEmptied:
                kernel.emptySet(set)
                return [.set(set)]
            case .memberAdded:
                _ = kernel.apply(.addMember(set, .addressPort(AddressPort(foreign, 80), .tcp), nil))
                return [.set(set)]
            case .rulesRemoved:
                kernel.removeRules(.ipv4)
                return [.rules(.ipv4)]
            }
        }
    }

    private func node(_ changes: [ClusterChange]? = nil) -> SimulatedNode {
        var node = SimulatedNode.listed(changes ?? [web.change, web.slice([1, 2])], syncPeriod: .seconds(3600))
        node.outcomes = []
        node.attemptTimes = []
        node.kernel.clearHistory()
        return node
    }

    /// Makes a change and announces it.
    private func make(_ change: Change, in node: inout SimulatedNode, isAnnounced: Bool = true) {
        let announced = change.make(in: &node.kernel)
        if isAnnounced { node.loop.announced(announced, at: node.now) }
    }

    /// Whether the kernel equals the desired state within 100 ms.
    private func expectRepair(of change: Change, in node: inout SimulatedNode) {
        make(change, in: &node)
        #expect(!node.kernel.differences(from: node.loop.desired).isEmpty, "\(change)")
        node.run(for: .milliseconds(100))
        #expect(node.kernel.differences(from: node.loop.desired) == [], "\(change)")
    }

    @Test(arguments: Change.allCases) func `are repaired within 100 ms, and counted as external`(change: Change) {
        var node = node()
        expectRepair(of: change, in: &node)
        #expect(!node.outcomes.flatMap(\.repairs).isEmpty)
        #expect(node.outcomes.reduce(0) { $0 + $1.announced.values.reduce(0, +) } == 1)
    }

    @Test(arguments: Change.allCases) func `are needed: without an announcement, only audits find a change`(change: Change) {
        var node = node()
        make(change, in: &node, isAnnounced: false)
        node.run(for: .seconds(60))
        #expect(node.attemptTimes.isEmpty)
    }

    @Test func `of all parts at the same time are repaired together`() {
        var node = node()
        for change in [Change.rulesRemoved, .setEmptied, .deviceDeleted] { make(change, in: &node) }
        node.run(for: .milliseconds(100))
        #expect(node.kernel.differences(from: node.loop.desired) == [])
    }

    @Test(arguments: Change.allCases.filter { $0 != .rulesRemoved })
    func `are repaired while the operations of a large plan go on`(change: Change) {
        var node = node()
        let many = (0..<200).map { TestService("many-\($0)", 1000 + $0) }
        node.absorb(many.flatMap { [$0.change, $0.slice([1, 2, 3])] })
        // Until the first operations for them have been applied.
        while node.attemptTimes.isEmpty { _ = node.step() }
        node.stepDuration = .milliseconds(30)
        make(change, in: &node)
        #expect(many.allSatisfy { node.kernel.state.addresses[$0.clusterIP] == nil }, "the plan has not ended")
        node.run(for: .milliseconds(100))
        let foreign = node.kernel.differences(from: node.loop.desired).filter { difference in
            !many.contains { difference.contains("\($0.clusterIP) ") || difference.contains("\($0.clusterIP):") }
        }
        // Members of the other Services may still be missing in the set.
        #expect(foreign.filter { !$0.hasSuffix("differs") } == [])
        node.run(for: .seconds(2))
        #expect(node.kernel.differences(from: node.loop.desired) == [])
        #expect(node.kernel.violations == [])
    }

    @Test(arguments: Change.allCases) func `are repaired while another operation waits for its retry`(change: Change) {
        var node = node()
        node.kernel.broken = [.realServer(web.identity, web.endpoint(3))]
        node.absorb([web.slice([1, 2, 3])])
        node.run(for: .seconds(20))
        #expect(!node.status.isInSync)
        let broken = node.kernel.differences(from: node.loop.desired)
        make(change, in: &node)
        node.run(for: .milliseconds(100))
        #expect(node.kernel.differences(from: node.loop.desired) == broken)
    }

    @Test(arguments: Change.allCases) func `are repaired while a real server drains`(change: Change) {
        var node = node()
        node.kernel.connections = [web.endpoint(2): 1]
        node.absorb([web.slice([1])])
        node.run(for: .milliseconds(1500))
        let draining = node.kernel.differences(from: node.loop.desired)
        make(change, in: &node)
        node.run(for: .milliseconds(100))
        #expect(node.kernel.differences(from: node.loop.desired) == draining)
        #expect(node.kernel.state.virtualServers[web.identity]?.realServers[web.endpoint(2)]?.weight == 0)
    }

    @Test func `before the first sync cause no observation of their own`() {
        var node = SimulatedNode(syncPeriod: .seconds(3600))
        node.loop.announced([.anyOfDevice, .set(KubeSet.clusterIP.name(.ipv4)), .rules(.ipv4), .rules(.ipv6)], at: node.now)
        node.absorb([web.change, web.slice([1])])
        node.list()
        node.settle()
        #expect(node.kernel.observations == [.everything])
        #expect(node.kernel.differences(from: node.loop.desired) == [])
        #expect(node.outcomes.allSatisfy { $0.announced.isEmpty })
    }

    @Test func `right after the first observation are observed again`() {
        var node = SimulatedNode(syncPeriod: .seconds(3600))
        node.absorb([web.change, web.slice([1])])
        node.list()
        node.settle()
        var second = SimulatedNode(syncPeriod: .seconds(3600))
        second.kernel = node.kernel
        second.absorb([web.change, web.slice([1])])
        second.list()
        second.kernel.clearHistory()
        while second.kernel.observations.isEmpty { _ = second.step() }
        make(.addressRemoved, in: &second)
        second.run(for: .milliseconds(100))
        #expect(second.kernel.differences(from: second.loop.desired) == [])
    }

    @Test func `by this program cause no observation`() {
        var node = node((0..<300).map { TestService("s\($0)", 1000 + $0).change })
        let bound = node.kernel.state.addresses.keys
        #expect(bound.count >= 300)
        node.loop.announced([.device(exists: true, isUp: false)] + bound.map { .address($0, isBound: true) }, at: node.now)
        node.run(for: .seconds(1))
        #expect(node.kernel.observations.isEmpty)
        #expect(node.outcomes.allSatisfy { $0.announced.isEmpty })
    }

    @Test func `by a program that undoes each repair at once are repaired less and less often, and at once when it has ended`() {
        for change in [Change.addressRemoved, .setEmptied, .rulesRemoved] {
            var node = node()
            let end = node.now.advanced(by: .seconds(120))
            while node.now < end {
                if node.kernel.differences(from: node.loop.desired).isEmpty { make(change, in: &node) }
                node.run(for: .milliseconds(5))
            }
            let repairs = node.outcomes.flatMap(\.repairs).count
            // 50 ms, doubled each time: 2 minutes after 12 repairs.
            #expect((8...13).contains(repairs), "\(change): \(repairs)")
            node.run(for: .seconds(3600))
            expectRepair(of: change, in: &node)
        }
    }

    @Test func `that come all the time for a part that has not changed are observed less and less often`() {
        var node = node()
        for _ in 0..<12_000 {
            node.loop.announced([.rules(.ipv4), .set(KubeSet.clusterIP.name(.ipv4)), .anyOfDevice], at: node.now)
            node.run(for: .milliseconds(10))
        }
        let observations = node.outcomes.reduce(into: [:]) { $0.merge($1.announced, uniquingKeysWith: +) }
        #expect(observations.values.allSatisfy { (8...13).contains($0) }, "\(observations)")
        #expect(node.outcomes.flatMap(\.repairs).isEmpty)
    }

    @Test func `of one part do not delay those of another`() {
        var node = node()
        for _ in 0..<3000 {
            node.loop.announced([.rules(.ipv4)], at: node.now)
            node.run(for: .milliseconds(10))
        }
        expectRepair(of: .addressRemoved, in: &node)
        expectRepair(of: .setEmptied, in: &node)
    }

    @Test func `of rules during a restore are observed after it`() {
        var node = node()
        node.rulesDuration = .milliseconds(300)
        make(.rulesRemoved, in: &node)
        // The listing ends after 310 ms, the restore after 610 ms.
        node.run(for: .milliseconds(400))
        node.loop.announced([.rules(.ipv4)], at: node.now)
        node.run(for: .milliseconds(250))
        #expect(node.kernel.differences(from: node.loop.desired) == [])
        node.kernel.removeRules(.ipv4)
        node.run(for: .seconds(2))
        #expect(node.kernel.differences(from: node.loop.desired) == [], "the listing after the restore has found it")
    }

    @Test func `of rules that cannot be read are read again`() {
        var node = node()
        node.kernel.isUnreadable = true
        make(.rulesRemoved, in: &node)
        node.run(for: .milliseconds(500))
        #expect(!node.status.unreadable.isEmpty)
        node.kernel.isUnreadable = false
        node.run(for: .seconds(2))
        #expect(node.kernel.differences(from: node.loop.desired) == [])
        #expect(node.status.unreadable.isEmpty && node.status.isInSync)
    }

    @Test func `of routes are repaired, and the last address that keeps routes takes them all`() {
        var node = SimulatedNode(syncPeriod: .seconds(3600), serviceAddresses: .route)
        node.absorb([web.change, web.slice([1]), other.change, other.slice([2])])
        node.list()
        node.settle()
        #expect(!node.loop.desired.routes.isEmpty)
        for address in [web.clusterIP, other.clusterIP] {
            node.kernel.removeRoute(address)
            node.loop.announced([.route(address, nil)], at: node.now)
            node.run(for: .milliseconds(100))
            #expect(node.kernel.differences(from: node.loop.desired) == [])
            node.run(for: .seconds(1))
        }
        node.kernel.setDeviceDown()
        node.loop.announced([.device(exists: true, isUp: false)], at: node.now)
        node.run(for: .milliseconds(100))
        #expect(node.kernel.differences(from: node.loop.desired) == [])
        node.run(for: .seconds(1))
        _ = node.kernel.apply(.unbind(LocalRoute.anchor))
        #expect(node.kernel.state.routes.isEmpty)
        node.loop.announced([.address(LocalRoute.anchor, isBound: false)], at: node.now)
        node.run(for: .milliseconds(100))
        #expect(node.kernel.differences(from: node.loop.desired) == [])
    }

    @Test func `of node addresses are read at once, and at most ten times in a second`() {
        var node = node()
        let before = node.addressReads
        node.loop.announced([.nodeAddresses], at: node.now)
        node.run(for: .milliseconds(5))
        #expect(node.addressReads == before + 1)
        for _ in 0..<200 {
            node.loop.announced([.nodeAddresses], at: node.now)
            node.run(for: .milliseconds(5))
        }
        #expect((8...12).contains(node.addressReads - before), "\(node.addressReads - before)")
    }
}
