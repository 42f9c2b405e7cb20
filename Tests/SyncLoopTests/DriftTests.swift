import Kubernetes
import Model
import Reconciler
import SyncLoop
import TestSupport
import Testing
import Translation

/// What others change in the kernel is found by audits, and nothing else is taken for it.
@Suite struct `Drift` {
    private let web = TestService("web", 10)

    private func node(_ changes: [ClusterChange]) -> SimulatedNode {
        var node = SimulatedNode.listed(changes)
        node.outcomes = []
        return node
    }

    /// What was repaired within a sync period.
    private func repairs(_ node: inout SimulatedNode) -> [OperationKind] {
        node.outcomes = []
        node.run(for: .seconds(32))
        return node.outcomes.flatMap(\.repairs).map(\.kind).sorted { $0.rawValue < $1.rawValue }
    }

    @Test func `is what others took away, and is repaired within a sync period`() {
        var node = node([web.change, web.slice([1, 2])])
        #expect(repairs(&node).isEmpty, "nobody meddled")
        node.kernel.removeAddress(web.clusterIP)
        node.kernel.removeRealServers(of: web.identity)
        node.kernel.removeRules(.ipv4)
        node.kernel.emptySet(KubeSet.clusterIP.name(.ipv4))
        #expect(repairs(&node) == [.addMember, .addRealServer, .addRealServer, .bind, .restoreRules])
        #expect(node.kernel.differences(from: node.loop.desired).isEmpty)
        #expect(repairs(&node).isEmpty)
    }

    @Test func `is a virtual server that others took away, changed or made on an address of ours`() {
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

    @Test func `is the device with all its addresses`() {
        var node = node([web.change, web.slice([1])])
        node.kernel.removeDevice()
        #expect(repairs(&node) == [.bind, .createDevice])
    }

    @Test func `is not a virtual server of somebody else's, which is left alone`() {
        let foreign = VirtualServer(
            .init(.tcp, AddressPort(IPAddress(v4: 0xc000_0201), 80)), realServers: [RealServer(AddressPort(IPAddress(v4: 1), 1))])
        var node = node([web.change, web.slice([1])])
        node.kernel.putVirtualServer(foreign)
        #expect(repairs(&node).isEmpty)
        node.absorb([web.removal])
        node.run(for: .seconds(60))
        #expect(node.kernel.state.virtualServers.keys.map(\.self) == [foreign.identity])
    }

    @Test func `is not what drains, starts slowly or changes in the cluster while an audit looks`() {
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

    @Test func `is a weight that others gave to a server that drains`() {
        var node = node([web.change, web.slice([1, 2])])
        node.kernel.connections = [web.endpoint(2): 1]
        node.absorb([web.slice([1])])
        node.settle()
        node.kernel.setWeight(5, of: web.endpoint(2), in: web.identity)
        #expect(repairs(&node) == [.editRealServer])
        #expect(node.kernel.state.virtualServers[web.identity]?.realServers[web.endpoint(2)]?.weight == 0)
    }

    @Test func `is not what failed before, and what fails again is not repaired`() {
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

    @Test func `in what cannot be read is found when it can`() {
        var node = node([web.change, web.slice([1])])
        node.kernel.isBlind = true
        node.run(for: .seconds(60))
        #expect(!node.status.unreadable.isEmpty && !node.status.isInSync)
        node.kernel.isBlind = false
        node.kernel.removeAddress(web.clusterIP)
        node.run(for: .seconds(95))
        #expect(node.kernel.differences(from: node.loop.desired).isEmpty && node.status.isInSync, "\(node.status.unreadable)")
    }
}
