import Kubernetes
import Model
import Reconciler
import SyncLoop
import TestSupport
import Testing
import Translation

/// Service addresses as routes: changes of the kind, and external changes.
@Suite struct `Service addresses` {
    private let web = TestService("web", 10)
    private let other = TestService("other", 20)
    private let nodeAddress = IPAddress(v4: 0x0a63_0002)

    private var nodeChange: ClusterChange {
        .node(
            "node1",
            Node(metadata: ObjectMeta(name: "node1"), addresses: [NodeAddress(type: "InternalIP", address: "\(nodeAddress)")]))
    }

    private func node(_ kind: ServiceAddresses, kernel: FakeKernel = FakeKernel()) -> SimulatedNode {
        var node = SimulatedNode(serviceAddresses: kind)
        node.kernel = kernel
        node.absorb([nodeChange, web.change, web.slice([1]), other.change, other.slice([2])])
        node.list()
        node.settle()
        return node
    }

    private func repairs(_ node: inout SimulatedNode) -> [OperationKind] {
        node.outcomes = []
        node.run(for: .seconds(32))
        return node.outcomes.flatMap(\.repairs).map(\.kind).sorted { $0.rawValue < $1.rawValue }
    }

    @Test(arguments: [ServiceAddresses.address, .route], [ServiceAddresses.address, .route])
    func `stay addresses of the node when a proxy with another kind starts`(before: ServiceAddresses, after: ServiceAddresses) {
        var kernel = node(before).kernel
        kernel.servedAddresses = [web.clusterIP, other.clusterIP]
        kernel.clearHistory()
        let node = node(after, kernel: kernel)
        #expect(node.kernel.violations == [])
        #expect(node.kernel.differences(from: node.loop.desired) == [])
        if before == after { #expect(node.kernel.attempts == []) }
    }

    @Test(arguments: [OperationKind.bind, .addRoute, .unbind, .removeRoute], [ServiceAddresses.address, .route])
    func `stay addresses of the node if operations of the change fail`(kind: OperationKind, after: ServiceAddresses) {
        var kernel = node(after == .route ? .address : .route).kernel
        kernel.servedAddresses = [web.clusterIP, other.clusterIP]
        kernel.failures = [kind: 3]
        var node = node(after, kernel: kernel)
        node.run(for: .seconds(60))
        #expect(node.kernel.violations == [])
        #expect(node.kernel.differences(from: node.loop.desired) == [])
    }

    @Test func `change at the limit of auto while the proxy runs`() {
        var node = node(.auto(limit: 2))
        node.kernel.servedAddresses = [web.clusterIP, other.clusterIP]
        #expect(node.kernel.state.routes.isEmpty)
        let third = TestService("third", 30)
        node.absorb([third.change])
        node.settle()
        #expect(node.kernel.state.routes.count == 3 && node.kernel.state.addresses.keys.map(\.self) == [LocalRoute.anchor])
        node.kernel.servedAddresses = [web.clusterIP]
        node.absorb([third.removal, other.removal])
        node.settle()
        #expect(node.kernel.state.routes.count == 1, "half of the limit")
        node.kernel.servedAddresses = []
        node.absorb([web.removal])
        node.settle()
        #expect(node.kernel.violations == [])
        #expect(node.kernel.differences(from: node.loop.desired) == [])
    }

    @Test(arguments: [ServiceAddresses.address, .route])
    func `between half of the limit of auto and the limit stay what they are when the proxy restarts`(before: ServiceAddresses) {
        var kernel = node(before).kernel
        kernel.clearHistory()
        var after = node(.auto(limit: 3), kernel: kernel)
        #expect(after.kernel.attempts == [])
        let addresses = NodeAddresses([nodeAddress])
        #expect(after.loop.plan(from: kernel.state, addresses, at: after.now).isEmpty)
        var new = SimulatedNode(serviceAddresses: .auto(limit: 3))
        new.absorb([nodeChange, web.change, web.slice([1]), other.change, other.slice([2])])
        #expect(new.loop.plan(from: kernel.state, addresses, at: new.now).isEmpty)
    }

    @Test func `keep the rules for the node's own connections until all have changed from routes to addresses`() {
        func start(_ kind: ServiceAddresses, _ kernel: FakeKernel) -> SimulatedNode {
            var node = SimulatedNode(serviceAddresses: kind)
            node.kernel = kernel
            guard case .service(let name, var service?) = web.change else { return node }
            service.type = .loadBalancer
            service.loadBalancerIngress = [LoadBalancerIngress(ip: "192.0.2.50")]
            service.loadBalancerSourceRanges = ["203.0.113.0/24"]
            node.absorb([.service(name, service), web.slice([1])])
            node.list()
            node.settle()
            return node
        }
        var kernel = start(.route, FakeKernel()).kernel
        kernel.clearHistory()
        let kinds = start(.address, kernel).kernel.attempts.map(\.kind)
        let lastRoute = kinds.lastIndex(of: .removeRoute) ?? -1
        #expect(lastRoute >= 0 && kinds.contains(.restoreRules) && !kinds[...max(0, lastRoute)].contains(.restoreRules), "\(kinds)")
    }

    @Test func `get another source when the node's address disappears and comes back`() {
        var node = node(.route)
        #expect(node.kernel.state.routes[web.clusterIP]?.source == nodeAddress)
        node.localAddresses = []
        node.kernel.sources = []
        node.loop.announced([.nodeAddresses], at: node.now)
        node.settle()
        #expect(node.kernel.state.routes[web.clusterIP] == LocalRoute())
        (node.localAddresses, node.kernel.sources) = ([nodeAddress], [nodeAddress])
        node.loop.announced([.nodeAddresses], at: node.now)
        node.settle()
        #expect(node.kernel.state.routes[web.clusterIP] == LocalRoute(source: nodeAddress) && node.kernel.violations == [])
    }

    @Test func `are added again as routes if others remove or change them`() {
        var node = node(.route)
        #expect(repairs(&node) == [])
        node.kernel.removeRoute(web.clusterIP)
        node.kernel.setSource(IPAddress(v4: 1), of: other.clusterIP)
        #expect(repairs(&node) == [.addRoute, .addRoute])
        node.kernel.addAddress(web.clusterIP)
        #expect(repairs(&node) == [.unbind])
        node.kernel.removeDevice()
        #expect(repairs(&node) == [.addRoute, .addRoute, .bind, .createDevice])
        #expect(node.kernel.differences(from: node.loop.desired) == [])
    }

    @Test func `are added again as routes of IPv6 if others set the device down`() {
        var node = node(.route)
        node.absorb([
            .service(
                NamespacedName(namespace: "default", name: "six"),
                Service(
                    metadata: ObjectMeta(name: "six", namespace: "default"), clusterIP: "fd00:96::1", clusterIPs: ["fd00:96::1"],
                    ports: [ServicePort(name: "p", transport: .tcp, port: 80)]))
        ])
        node.settle()
        #expect(node.kernel.differences(from: node.loop.desired) == [] && node.kernel.state.isDeviceUp)
        node.kernel.setDeviceDown()
        #expect(repairs(&node) == [.addRoute, .setDeviceUp])
        #expect(node.kernel.differences(from: node.loop.desired) == [])
    }

    @Test func `as routes prove that a virtual server is ours`() {
        var kernel = node(.route).kernel
        let left = VirtualServer(.init(.tcp, AddressPort(web.clusterIP, 9999)))
        kernel.putVirtualServer(left)
        #expect(node(.route, kernel: kernel).kernel.state.virtualServers[left.identity] == nil)
    }
}
