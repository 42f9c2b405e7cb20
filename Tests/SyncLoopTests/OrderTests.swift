import Kubernetes
import Model
import Reconciler
@testable import SyncLoop
import TestSupport
import Testing
import Translation

/// Operations wait for what they depend on, and none waits forever.
@Suite struct `Waiting` {
    private let web = TestService("web", 10)
    private let other = TestService("other", 20)

    private func loadBalancer(_ address: String) -> ClusterChange {
        .service(
            NamespacedName(namespace: "default", name: "lb"),
            Service(
                metadata: ObjectMeta(name: "lb", namespace: "default"), type: .loadBalancer, clusterIP: "10.96.0.99",
                clusterIPs: ["10.96.0.99"], ports: [ServicePort(name: "p", port: 80)],
                loadBalancerSourceRanges: ["192.0.2.0/24"], loadBalancerIngress: [LoadBalancerIngress(ip: address)]))
    }

    @Test(arguments: [10, 100, 250]) func `for rules that are being removed ends when they are restored`(delay: Int) {
        var node = SimulatedNode.listed([web.change, web.slice([1])], syncPeriod: .seconds(3600))
        node.rulesDuration = .milliseconds(400)
        node.absorb([web.removal])
        node.run(for: .milliseconds(delay))
        node.absorb([web.change])
        node.run(for: .seconds(5))
        let bound = node.attempts { if case .bind(web.clusterIP, _) = $0 { true } else { false } }
        let restored = node.attempts { if case .restoreRules(let rules, _) = $0 { rules.family == .ipv4 } else { false } }
        #expect(bound.last.map { bind in restored.allSatisfy { $0 <= bind } } ?? false, "\(bound) \(restored)")
        #expect(node.kernel.differences(from: node.loop.desired) == [] && node.status.isInSync)
    }

    @Test func `for a complete source removes nothing that the source then contains`() {
        var node = SimulatedNode()
        node.kernel = SimulatedNode.listed([web.change, web.slice([1])]).kernel
        node.list(isIncomplete: true)
        node.run(for: .seconds(3))
        node.list()
        node.absorb([web.change, web.slice([1])])
        node.run(for: .seconds(3))
        #expect(node.status.isInSync)
        #expect(!node.attemptTimes.contains { [.deleteVirtualServer, .unbind, .removeMember].contains($0.operation.kind) })
    }

    @Test(arguments: Array(stride(from: 0, to: 1500, by: 50))) func `for rules ends whenever they change, even during their audit`(
        delay: Int
    ) {
        var node = SimulatedNode.listed([web.change, web.slice([1])], syncPeriod: .seconds(2))
        node.rulesDuration = .milliseconds(400)
        node.run(for: .milliseconds(delay))
        node.absorb([loadBalancer("192.0.2.77")])
        node.run(for: .seconds(8))
        #expect(node.kernel.differences(from: node.loop.desired) == [] && node.status.isInSync)
    }

    @Test func `for the first of two rule changes delays the second`() {
        var node = SimulatedNode.listed([web.change, loadBalancer("192.0.2.77")], syncPeriod: .seconds(3600))
        // One set fills while another empties, and restoring fails for a while.
        node.kernel.failures = [.restoreRules: 2]
        let outside = ClusterChange.service(
            NamespacedName(namespace: "default", name: "outside"),
            Service(
                metadata: ObjectMeta(name: "outside", namespace: "default"), type: .nodePort, clusterIP: "10.96.0.11",
                clusterIPs: ["10.96.0.11"], ports: [ServicePort(name: "p", port: 80, nodePort: 30080)]))
        node.absorb([.service(NamespacedName(namespace: "default", name: "lb"), nil), outside])
        node.run(for: .seconds(5))
        #expect(node.kernel.differences(from: node.loop.desired) == [] && node.status.isInSync)
        let times = node.attempts { $0.kind == .restoreRules }.suffix(5)
        #expect(times.count < 12, "\(times.count)")
        #expect(node.kernel.violations.isEmpty)
    }

    @Test func `for an unreadable audit slice does not block the audit of other slices`() {
        var node = SimulatedNode.listed([web.change, web.slice([1])], syncPeriod: .seconds(10))
        node.unreadableSlices = [.set(KubeSet.clusterIP.name(.ipv4))]
        node.run(for: .seconds(60))
        #expect(!node.status.isInSync && node.status.unreadable.keys.contains(.set(KubeSet.clusterIP.name(.ipv4))))
        node.kernel.removeAddress(web.clusterIP)
        node.run(for: .seconds(25))
        #expect(node.kernel.differences(from: node.loop.desired) == [])
    }

    @Test func `for failing audits does not block the reads of the loop itself`() {
        var node = SimulatedNode.listed([web.change, web.slice([1, 2])], syncPeriod: .seconds(10))
        node.failsAudits = true
        node.run(for: .seconds(120))
        node.kernel.connections = [web.endpoint(2): 1]
        node.absorb([web.slice([1])])
        node.run(for: .seconds(3))
        node.kernel.connections = [:]
        node.run(for: .seconds(3))
        #expect(node.kernel.state.virtualServers[web.identity]?.realServers.count == 1, "drains are polled")
        node.failsAudits = false
        node.run(for: .seconds(30))
        #expect(node.status.isInSync)
    }

    @Test func `for a set replacement keeps its new addresses unbound`() {
        var node = SimulatedNode.listed([web.change], syncPeriod: .seconds(3600))
        let name = KubeSet.clusterIP.name(.ipv4)
        node.kernel.broken = [.set(name)]
        node.kernel.replaceSet(AddressSet(name, kind: .hashIP, family: .ipv4))
        node.loop.reconciler.invalidate(.only(.init(members: [name: []])))
        node.absorb([other.change])
        node.run(for: .seconds(5))
        #expect(!node.kernel.state.addresses.keys.contains(other.clusterIP) && node.kernel.violations.isEmpty)
        node.kernel.broken = []
        node.run(for: .seconds(3700))
        #expect(node.kernel.differences(from: node.loop.desired) == [])
    }

    @Test func `for an address to be unbound keeps its set members`() {
        var node = SimulatedNode.listed([web.change, web.slice([1])])
        node.kernel.broken = [.address(web.clusterIP)]
        node.absorb([web.removal])
        node.run(for: .seconds(10))
        let members = node.kernel.state.sets[KubeSet.clusterIP.name(.ipv4)]?.members.count
        #expect(members == 1, "it still answers, and a restart needs the set to recognize it as ours")
        node.kernel.broken = []
        node.run(for: .seconds(31))
        #expect(node.kernel.differences(from: node.loop.desired) == [] && node.status.isInSync)
    }

    @Test func `for a conntrack flush is not lost when everything is planned again`() {
        let dns = TestService("dns", 30, .udp)
        var node = SimulatedNode()
        node.list(isIncomplete: true)
        node.settle()
        node.kernel.failures = [.flushConntrack: 1, .bind: 1]
        node.absorb([dns.change, dns.slice([1]), web.change])
        node.run(for: .milliseconds(450))
        node.list()
        node.run(for: .seconds(5))
        #expect(node.status.isInSync, "\(node.status.failing)")
        #expect(node.attempts { $0.kind == .flushConntrack }.count >= 2)
    }
}
