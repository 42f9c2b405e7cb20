import Kubernetes
import Model
import Reconciler
import SyncLoop
import TestSupport
import Testing
import Translation

/// Audits find external changes of the kernel, and report nothing else as drift.
@Suite struct `Drift` {
    private let web = TestService("web", 10)

    private func node(_ changes: [ClusterChange]) -> SimulatedNode {
        var node = SimulatedNode.listed(changes)
        node.outcomes = []
        return node
    }

    /// Returns the repairs within a sync period.
    private func repairs(_ node: inout SimulatedNode) -> [OperationKind] {
        node.outcomes = []
        node.run(for: .seconds(32))
        return node.outcomes.flatMap(\.repairs).map(\.kind).sorted { $0.rawValue < $1.rawValue }
    }

    @Test func `includes everything that others remove, and is repaired within a sync period`() {
        var node = node([web.change, web.slice([1, 2])])
        #expect(repairs(&node).isEmpty, "no external change yet")
        node.kernel.removeAddress(web.clusterIP)
        node.kernel.removeRealServers(of: web.identity)
        node.kernel.removeRules(.ipv4)
        node.kernel.emptySet(KubeSet.clusterIP.name(.ipv4))
        #expect(repairs(&node) == [.addMember, .addRealServer, .addRealServer, .bind, .restoreRules])
        #expect(node.kernel.differences(from: node.loop.desired).isEmpty)
        #expect(repairs(&node).isEmpty)
    }

    @Test func `includes virtual servers that others remove, change or create on our addresses`() {
        var node = node([web.change, web.slice([1])])
        node.kernel.removeVirtualServer(web.identity)
        #expect(repairs(&node) == [.addRealServer, .addVirtualServer])
        node.kernel.putVirtualServer(VirtualServer(web.identity, scheduler: .maglevHash, realServers: [RealServer(web.endpoint(1))]))
        #expect(repairs(&node) == [.editVirtualServer])
        let left = VirtualServer.Identity(.tcp, AddressPort(web.clusterIP, 9999))
        node.kernel.putVirtualServer(VirtualServer(left))
        #expect(repairs(&node) == [.deleteVirtualServer])
        #expect(node.kernel.differences(from: node.loop.desired).isEmpty)
    }

    @Test func `includes the removal of the device with all its addresses`() {
        var node = node([web.change, web.slice([1])])
        node.kernel.removeDevice()
        #expect(repairs(&node) == [.bind, .createDevice])
    }

    @Test func `excludes a foreign virtual server, which is left unchanged`() {
        let foreign = VirtualServer(
            .init(.tcp, AddressPort(IPAddress(v4: 0xc000_0201), 80)), realServers: [RealServer(AddressPort(IPAddress(v4: 1), 1))])
        var node = node([web.change, web.slice([1])])
        node.kernel.putVirtualServer(foreign)
        #expect(repairs(&node).isEmpty)
        node.absorb([web.removal])
        node.run(for: .seconds(60))
        #expect(node.kernel.state.virtualServers.keys.map(\.self) == [foreign.identity])
    }

    @Test func `excludes drains, slow starts and cluster changes during an audit`() {
        let slow = TestService(
            "slow", 30, annotations: ["kube-ipvs-proxy.io/slow-start": "20s", "kube-ipvs-proxy.io/drain-timeout": "15s"])
        var node = node([web.change, web.slice([1, 2, 3]), slow.change, slow.slice([1, 2])])
        node.auditDuration = .milliseconds(400)
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<600 {
            let some = (1...12).filter { _ in Bool.random(using: &generator) }.map { UInt32($0) }
            node.kernel.connections = Dictionary(
                uniqueKeysWithValues: (1...12).map { (slow.endpoint(UInt32($0)), UInt32.random(in: 0...1, using: &generator)) })
            node.absorb([Bool.random(using: &generator) ? web.slice(some) : slow.slice(some)])
            node.run(for: .milliseconds(200))
        }
        #expect(node.outcomes.flatMap(\.repairs) == [])
        #expect(!node.log.contains { $0.hasPrefix("Repaired external change") })
    }

    @Test func `includes a weight that others set on a draining server`() {
        var node = node([web.change, web.slice([1, 2])])
        node.kernel.connections = [web.endpoint(2): 1]
        node.absorb([web.slice([1])])
        node.settle()
        node.kernel.setWeight(5, of: web.endpoint(2), in: web.identity)
        #expect(repairs(&node) == [.editRealServer])
        #expect(node.kernel.state.virtualServers[web.identity]?.realServers[web.endpoint(2)]?.weight == 0)
    }

    @Test func `excludes earlier failures, and a repair that fails is not counted`() {
        var node = node([web.change, web.slice([1])])
        let subject = Operation.Subject.realServer(web.identity, web.endpoint(2))
        node.kernel.broken = [subject]
        node.absorb([web.slice([1, 2])])
        #expect(repairs(&node).isEmpty)
        node.kernel.broken = [subject, .address(web.clusterIP)]
        node.kernel.removeAddress(web.clusterIP)
        #expect(repairs(&node).isEmpty)
        node.kernel.broken = []
        node.run(for: .seconds(31))
        #expect(node.kernel.differences(from: node.loop.desired).isEmpty)
    }

    @Test func `in unreadable state is found once the state is readable`() {
        var node = node([web.change, web.slice([1])])
        node.kernel.isUnreadable = true
        node.run(for: .seconds(60))
        #expect(!node.status.unreadable.isEmpty && !node.status.isInSync)
        node.kernel.isUnreadable = false
        node.kernel.removeAddress(web.clusterIP)
        node.run(for: .seconds(95))
        #expect(node.kernel.differences(from: node.loop.desired).isEmpty && node.status.isInSync, "\(node.status.unreadable)")
    }
}
