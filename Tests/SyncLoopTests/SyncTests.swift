import Kubernetes
import Model
import Reconciler
import SyncLoop
import TestSupport
import Testing
import Translation

@Suite struct `A sync` {
    private let web = TestService("web", 10)

    @Test func `brings the kernel to the desired state`() {
        let node = SimulatedNode.listed([web.change, web.slice([1, 2])])
        #expect(node.kernel.differences(from: node.loop.desired).isEmpty && node.kernel.violations.isEmpty)
        #expect(node.status.isInSync && node.outcomes.allSatisfy(\.succeeded))
        #expect(node.log.count { $0.hasPrefix("Kernel state in sync") } == 1)
    }

    @Test func `does and reads nothing if nothing changed`() {
        var node = SimulatedNode.listed([web.change, web.slice([1])], syncPeriod: .seconds(3600))
        node.kernel.clearHistory()
        node.absorb([web.change, web.slice([1])])
        node.run(for: .seconds(2))
        #expect(node.kernel.isUntouched)
    }

    @Test func `reports the number of packets that rules dropped`() {
        var node = SimulatedNode()
        node.kernel.dropped = [.ipv6: [Rules.Chain(.filter, "KUBE-SOURCE-RANGES-FIREWALL"): 5]]
        node.list()
        node.settle()
        #expect(node.status.droppedPackets == [DroppedPackets(.sourceRanges, .ipv6): 5])
    }

    @Test func `removes nothing while the source is incomplete, and removes it once the source is complete`() {
        let before = SimulatedNode.listed([web.change, web.slice([1])])
        var node = SimulatedNode()
        node.kernel = before.kernel
        node.list(isIncomplete: true)
        node.run(for: .seconds(5))
        #expect(node.kernel.state.virtualServers[web.identity] != nil && node.kernel.state.addresses.keys.contains(web.clusterIP))
        node.list()
        node.run(for: .seconds(5))
        #expect(node.kernel.state.virtualServers.isEmpty && node.kernel.state.addresses.isEmpty)
        #expect(node.kernel.differences(from: node.loop.desired).isEmpty)
    }

    @Test func `drains a removed endpoint and deletes it when its connections have ended`() {
        var node = SimulatedNode.listed([web.change, web.slice([1, 2])])
        node.kernel.connections = [web.endpoint(2): 1]
        node.absorb([web.slice([1])])
        node.run(for: .seconds(3))
        #expect(node.kernel.state.virtualServers[web.identity]?.realServers[web.endpoint(2)]?.weight == 0)
        #expect(node.status.drainingServers == 1)
        node.kernel.connections = [:]
        node.run(for: .seconds(2))
        #expect(node.kernel.state.virtualServers[web.identity]?.realServers[web.endpoint(2)] == nil)
        #expect(node.status.drainingServers == 0)
    }

    @Test func `follows the addresses of the node`() {
        let outside = ClusterChange.service(
            NamespacedName(namespace: "default", name: "outside"),
            Service(
                metadata: ObjectMeta(name: "outside", namespace: "default"), type: .nodePort, clusterIP: "10.96.0.11",
                clusterIPs: ["10.96.0.11"], ports: [ServicePort(name: "p", port: 80, nodePort: 30080)]))
        var node = SimulatedNode.listed([outside])
        func answering() -> [String] {
            node.kernel.state.virtualServers.keys.filter { $0.location.port == 30080 }.map(\.location.address.description).sorted()
        }
        #expect(answering() == ["10.99.0.2"])
        node.localAddresses.insert(IPAddress(v4: 0xc000_0207))
        node.loop.announced([.nodeAddresses], at: node.now)
        node.run(for: .milliseconds(200))
        #expect(answering() == ["10.99.0.2", "192.0.2.7"])
        node.localAddresses = [IPAddress(v4: 0xc000_0207)]
        node.run(for: .seconds(31))
        #expect(answering() == ["192.0.2.7"], "an audit reads them without a change notification")
        node.kernel.clearHistory()
        node.outcomes = []
        node.loop.announced([.nodeAddresses], at: node.now)
        node.run(for: .milliseconds(100))
        #expect(node.outcomes.isEmpty, "they have not changed")
    }

    @Test func `publishes the changed scope of the desired state, and nothing if it did not change`() {
        var node = SimulatedNode.listed([], syncPeriod: .seconds(3600))
        node.outcomes = []
        node.absorb([web.change, web.slice([1])])
        node.run(for: .milliseconds(500))
        let changed = node.outcomes.map(\.changed).filter { !$0.isEmpty }
        #expect(changed.count == 1)
        if case .only(let selection)? = changed.first { #expect(selection.virtualServers == [web.identity]) }
        node.outcomes = []
        node.absorb([web.slice([1])])
        node.run(for: .seconds(2))
        #expect(node.outcomes.filter { !$0.changed.isEmpty }.isEmpty)
    }
}

@Suite struct `An unserved field of a Service` {
    private let web = TestService("web", 10)
    /// 10.244.0.255
    private let broadcast = IPAddress(v4: 0x0af4_00ff)

    private func notes(_ node: SimulatedNode) -> [String] {
        node.notices.compactMap(\.event).map { "\($0.reason) \($0.regarding.name): \($0.note)" }
    }

    private func attempts(_ node: SimulatedNode) -> Int {
        node.kernel.attempts.count { if case .addRealServer(_, let server) = $0 { server.location.address == broadcast } else { false } }
    }

    @Test func `such as an invalid annotation is reported once, and the default applies until it is fixed`() {
        var node = SimulatedNode(schedulers: [.roundRobin, .maglevHash])
        var service = web
        service.annotations = ["kube-ipvs-proxy.io/scheduler": "magic"]
        node.absorb([service.change])
        node.list()
        node.settle()
        node.absorb([service.change, web.slice([1])])
        node.settle()
        #expect(node.kernel.state.virtualServers[web.identity]?.scheduler == .roundRobin)
        #expect(
            notes(node) == [
                "InvalidAnnotation web: Ignored: kube-ipvs-proxy.io/scheduler \"magic\": is not available in this node's kernel, which has rr, mh"
            ])
        #expect(node.status.invalidAnnotations.count == 1)
        service.annotations = ["kube-ipvs-proxy.io/scheduler": "mh"]
        node.absorb([service.change])
        node.settle()
        #expect(node.kernel.state.virtualServers[web.identity]?.scheduler == .maglevHash)
        #expect(node.status.invalidAnnotations.isEmpty && notes(node).count == 1)
    }

    @Test func `such as an endpoint that the kernel refuses delays nothing and is reported once`() {
        var node = SimulatedNode()
        node.kernel.refusedAddresses = [broadcast]
        node.absorb([web.change, web.slice([1, 255])])
        node.list()
        node.settle()
        #expect(node.status.isInSync && node.outcomes.allSatisfy { $0.succeeded && $0.recovered.isEmpty })
        #expect(node.kernel.state.virtualServers[web.identity]?.realServers.count == 1 && attempts(node) == 1)
        let note =
            "AddressRefused web: Not served: EndpointSlice default/web-1 endpoints.addresses 10.244.0.255: \(ServiceRefusal.Reason.kernel.rawValue)"
        #expect(notes(node) == [note])
        node.absorb([web.slice([1, 2, 255])])
        node.run(for: .seconds(20))
        #expect(notes(node) == [note] && attempts(node) == 1)
        node.run(for: .seconds(45))
        #expect(notes(node) == [note] && (2...3).contains(attempts(node)), "it is retried once per sync period")
        node.kernel.refusedAddresses = []
        node.run(for: .seconds(31))
        #expect(node.kernel.state.virtualServers[web.identity]?.realServers.count == 3)
        #expect(node.status.refusedAddresses.isEmpty && node.status.failing.isEmpty)
    }

    @Test func `such as an endpoint that the kernel refuses is dropped when it is removed, and retried when it is added again`() {
        var node = SimulatedNode()
        node.kernel.refusedAddresses = [broadcast]
        node.absorb([web.change, web.slice([255])])
        node.list()
        node.settle()
        node.absorb([web.slice([1])])
        node.settle()
        #expect(node.status.refusedAddresses.isEmpty)
        node.kernel.refusedAddresses = []
        node.absorb([web.slice([255])])
        node.settle()
        #expect(node.kernel.state.virtualServers[web.identity]?.realServers.locations.contains { $0.address == broadcast } == true)
        node.absorb([web.removal])
        node.settle()
        #expect(node.status.isInSync)
    }

    @Test func `such as an address that an older Service has is reported on the newer Service`() {
        var node = SimulatedNode.listed([web.change])
        var second = TestService("aaa", 10)
        second.name = "zzz"
        node.absorb([second.change])
        node.settle()
        #expect(
            notes(node) == [
                "AddressConflict zzz: Not served, already used by an older Service; choose another address or port: 10.96.0.10:80/TCP"
            ])
        #expect(node.status.conflicts.count == 1)
    }
}
