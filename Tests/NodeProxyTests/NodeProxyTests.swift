import FoundationEssentials
import Kubernetes
import Logging
import Model
import Reconciler
import StatusAPI
import SyncLoop
import Synchronization
import TestSupport
import Testing
import Translation

@testable import NodeProxy

/// A proxy running on an in-memory kernel, and the change feed it follows.
private struct Running {
    let feed = ChangeFeed()
    let kernel = MemoryKernel()

    func proxy(
        _ wait: NodeWait?, isStandby: Bool = false, observers: [any ProxyObserver] = [],
        checkNode: @escaping @Sendable (Node) throws(NodeProxyError) -> [String] = { _ in [] }
    ) -> NodeProxy {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let loop = SyncLoop(
            SyncLoop.Settings(minSyncPeriod: .zero, syncPeriod: .seconds(86400), drainTimeout: .seconds(900), nodeWait: wait),
            translation: Translation(TranslationSettings(nodeName: "node1")), start: Date(), isStandby: isStandby)
        return NodeProxy(loop, feed: feed, kernel: kernel.interfaces, checkNode: checkNode, observers: observers, logger: logger)
    }

    /// Whether the kernel eventually has virtual servers.
    func isProgrammed() async throws -> Bool { try await eventually { await !kernel.state.virtualServers.isEmpty } }

    /// Waits until node ports answer on exactly these addresses.
    func waitForAnswers(on addresses: String...) async throws {
        let wanted = Set(addresses)
        let isThere = try await eventually {
            let answering = await kernel.state.virtualServers.keys.filter { $0.location.port == 30080 }
            return Set(answering.map(\.location.address.description)) == wanted
        }
        try #require(isThere)
    }

    func eventually(_ condition: () async -> Bool) async throws -> Bool {
        for _ in 0..<30_000 {
            if await condition() { return true }
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }
}

private let web = ClusterChange.service(
    NamespacedName(namespace: "default", name: "web"),
    Service(
        metadata: ObjectMeta(name: "web", namespace: "default"), clusterIP: "10.96.0.10", clusterIPs: ["10.96.0.10"],
        ports: [ServicePort(name: "p", port: 80)]))

private let outside = ClusterChange.service(
    NamespacedName(namespace: "default", name: "outside"),
    Service(
        metadata: ObjectMeta(name: "outside", namespace: "default"), type: .nodePort, clusterIP: "10.96.0.11", clusterIPs: ["10.96.0.11"],
        ports: [ServicePort(name: "p", port: 80, nodePort: 30080)]))

private let node = Node(metadata: ObjectMeta(name: "node1"), addresses: [NodeAddress(type: "InternalIP", address: "192.0.2.1")])

@Suite struct `A running proxy` {
    /// Runs a proxy until `body` returns.
    private func run(_ wait: NodeWait?, _ body: (Running) async throws -> Void) async throws {
        try await run(wait) { running, _ in try await body(running) }
    }

    private func run(_ wait: NodeWait?, _ body: (Running, NodeProxy) async throws -> Void) async throws {
        let running = Running()
        let proxy = running.proxy(wait)
        let task = Task { try await proxy.run() }
        try await body(running, proxy)
        task.cancel()
        try await task.value
    }

    @Test func `plans nothing before the initial lists are complete`() async throws {
        try await run(nil) { running in
            running.feed.publish([web])
            try await Task.sleep(for: .milliseconds(100))
            #expect(await running.kernel.isUntouched)
            running.feed.markSynced()
            #expect(try await running.isProgrammed())
        }
    }

    /// Counts what an observer is told.
    private final class Told: ProxyObserver {
        let ready = Atomic(0), takeovers = Atomic(0), requests = Atomic(0), syncs = Atomic(0)

        func becameReadyStandby() { ready.wrappingAdd(1, ordering: .relaxed) }
        func tookOver() { takeovers.wrappingAdd(1, ordering: .relaxed) }
        func queued() { requests.wrappingAdd(1, ordering: .relaxed) }
        func synced(_ outcome: SyncOutcome, _ status: ProxyStatus, desired: NodeState) { syncs.wrappingAdd(1, ordering: .relaxed) }
    }

    @Test func `that starts as standby changes nothing until it takes over`() async throws {
        let running = Running()
        let told = Told()
        let proxy = running.proxy(nil, isStandby: true, observers: [told])
        let task = Task { try await proxy.run() }
        running.feed.publish([web])
        running.feed.markSynced()
        #expect(try await running.eventually { told.ready.load(ordering: .relaxed) == 1 })
        running.feed.publish([outside])
        #expect(try await running.eventually { await proxy.snapshot.desired.virtualServers.keys.contains { $0.location.port == 30080 } })
        #expect(await running.kernel.state.virtualServers.isEmpty)
        #expect(told.requests.load(ordering: .relaxed) == 0 && told.syncs.load(ordering: .relaxed) == 0, "health expects no sync")
        await proxy.takeOver()
        #expect(try await running.isProgrammed())
        #expect(try await running.eventually { told.syncs.load(ordering: .relaxed) > 0 })
        #expect(told.takeovers.load(ordering: .relaxed) == 1)
        task.cancel()
        try await task.value
    }

    @Test func `waits for its Node object, and starts when it appears`() async throws {
        try await run(NodeWait(needsPodCIDRs: false)) { running in
            running.feed.publish([web])
            running.feed.markSynced()
            try await Task.sleep(for: .milliseconds(100))
            #expect(await running.kernel.isUntouched)
            running.feed.publish([.node("node1", node)])
            #expect(try await running.isProgrammed())
        }
    }

    @Test func `exits before it changes anything if the configuration does not match its Node`() async throws {
        let running = Running()
        let proxy = running.proxy(NodeWait(needsPodCIDRs: false)) { node throws(NodeProxyError) in
            throw .familyMismatch(node: node.metadata.name, problem: "is for another family")
        }
        running.feed.publish([web, .node("node1", node)])
        running.feed.markSynced()
        await #expect(throws: NodeProxyError.familyMismatch(node: "node1", problem: "is for another family")) { try await proxy.run() }
        #expect(await running.kernel.isUntouched)
    }

    @Test func `follows added and removed node addresses without waiting for an audit`() async throws {
        try await run(nil) { running in
            running.feed.publish([outside])
            running.feed.markSynced()
            try await running.waitForAnswers(on: "10.99.0.2")
            await running.kernel.setAddresses("10.99.0.2", "192.0.2.7")
            try await running.waitForAnswers(on: "10.99.0.2", "192.0.2.7")
            await running.kernel.setAddresses("192.0.2.7")
            try await running.waitForAnswers(on: "192.0.2.7")
        }
    }

    @Test func `does nothing if the addresses have not changed`() async throws {
        try await run(nil) { running, proxy in
            running.feed.publish([outside])
            running.feed.markSynced()
            try await running.waitForAnswers(on: "10.99.0.2")
            #expect(try await running.eventually { await proxy.snapshot.status.isInSync })
            await running.kernel.clearHistory()
            let reads = await running.kernel.addressReads
            running.kernel.notifyAddressChange()
            #expect(try await running.eventually { await running.kernel.addressReads > reads })
            try await Task.sleep(for: .milliseconds(100))
            #expect(await running.kernel.isUntouched)
        }
    }

    @Test func `resubscribes after the address subscription fails, and picks up missed changes`() async throws {
        try await run(nil) { running in
            running.feed.publish([outside])
            running.feed.markSynced()
            try await running.waitForAnswers(on: "10.99.0.2")
            running.kernel.failAddressNotifications()
            await running.kernel.setAddresses("192.0.2.7", notifying: false)
            try await running.waitForAnswers(on: "192.0.2.7")
            #expect(running.kernel.subscriptionCount == 2)
        }
    }

    @Test func `programs endpoints while rules are being restored`() async throws {
        try await run(nil) { (running: Running) async throws in
            running.feed.publish([web])
            running.feed.markSynced()
            #expect(try await running.isProgrammed())
            await running.kernel.setRulesDuration(.seconds(3600))
            let slice = EndpointSlice(
                metadata: ObjectMeta(name: "web-1", namespace: "default", labels: [EndpointSlice.serviceNameLabel: "web"]),
                addressType: .ipv4, endpoints: [Endpoint(addresses: [IPAddress(v4: 0x0af4_0001)])],
                ports: [EndpointPort(name: "p", port: 8080)])
            // The load balancer set gets its first member, which changes the rules.
            running.feed.publish([
                .service(
                    NamespacedName(namespace: "default", name: "lb"),
                    Service(
                        metadata: ObjectMeta(name: "lb", namespace: "default"), type: .loadBalancer, clusterIP: "10.96.0.12",
                        clusterIPs: ["10.96.0.12"], ports: [ServicePort(name: "p", port: 80)],
                        loadBalancerIngress: [LoadBalancerIngress(ip: "192.0.2.9")])),
                .endpointSlice(NamespacedName(namespace: "default", name: "web-1"), slice),
            ])
            #expect(
                try await running.eventually { await running.kernel.state.virtualServers.values.contains { $0.realServers.count == 1 } })
        }
    }

    @Test func `reports differences between the kernel and the desired state outside the sync loop`() async throws {
        let running = Running()
        let proxy = running.proxy(nil)
        let task = Task { try await proxy.run() }
        running.feed.publish([web])
        running.feed.markSynced()
        #expect(try await running.isProgrammed())
        #expect(try await running.eventually { await proxy.snapshot.status.isInSync })
        let queries = StatusQueries(proxy)
        var found = try await queries.differences().differences.map(\.operation)
        #expect(found == [])
        await running.kernel.changeExternally { $0.removeAddress(IPAddress(v4: 0x0a60_000a)) }
        found = try await queries.differences().differences.map(\.operation)
        #expect(found == ["bind"])
        let report = await queries.report()
        #expect(report.virtualServers.map(\.service) == ["web"])
        task.cancel()
        try await task.value
    }

    @Test func `plans and reports differences although another backend of iptables cannot be read`() async throws {
        let running = Running()
        let proxy = running.proxy(nil)
        await running.kernel.makeOtherBackendsUnreadable()
        running.feed.publish([web])
        running.feed.markSynced()
        await proxy.absorbOnce(running.feed.take())
        #expect(try await proxy.plan().counts[.bind] == 1)
        _ = try await proxy.syncOnce()
        await running.kernel.changeExternally { $0.removeAddress(IPAddress(v4: 0x0a60_000a)) }
        #expect(try await StatusQueries(proxy).differences().differences.map(\.operation) == ["bind"])
    }

    @Test func `syncs once and reports the outcome`() async throws {
        let running = Running()
        let proxy = running.proxy(nil)
        running.feed.publish([web])
        running.feed.markSynced()
        await proxy.absorbOnce(running.feed.take())
        let plan = try await proxy.plan()
        #expect(plan.counts[.bind] == 1 && plan.counts[.addVirtualServer] == 1)
        let outcome = try await proxy.syncOnce()
        #expect(outcome.succeeded && outcome.counts[.bind] == 1 && outcome.counts[.restoreRules] == 2)
        #expect(await running.kernel.state.addresses.count == 1)
    }
}
