import Kubernetes
import Logging
import Model
import Reconciler
import Testing
import Translation

@testable import NodeProxy

/// A proxy at work on a kernel in memory, and the feed it follows.
private struct Running {
    let feed = ChangeFeed()
    let kernel = MemoryKernel()

    func proxy(_ wait: NodeWait?) -> NodeProxy {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return NodeProxy(
            feed: feed,
            synchronizer: Synchronizer(
                translation: Translation(TranslationSettings(nodeName: "node1")), dataplane: kernel, drainTimeout: .seconds(900),
                excludedCIDRs: [], logger: logger), schedule: SyncSchedule(minInterval: .zero, maxInterval: .seconds(30)), nodeWait: wait,
            logger: logger)
    }

    /// Whether the kernel comes to have virtual servers, or anything at all, within a second.
    func isProgrammed() async throws -> Bool {
        for _ in 0..<100 {
            if await !kernel.state.virtualServers.isEmpty { return true }
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

private let node = Node(metadata: ObjectMeta(name: "node1"), addresses: [NodeAddress(type: "InternalIP", address: "192.0.2.1")])

@Suite struct `The proxy at work` {
    /// Runs a proxy while `body` looks on.
    private func run(_ wait: NodeWait?, _ body: (Running) async throws -> Void) async throws {
        let running = Running()
        let proxy = running.proxy(wait)
        let task = Task { try await proxy.run() }
        try await body(running)
        task.cancel()
        try await task.value
    }

    @Test func `plans nothing before everything has been listed`() async throws {
        try await run(nil) { running in
            running.feed.publish([web])
            try await Task.sleep(for: .milliseconds(100))
            #expect(await running.kernel.observations.isEmpty)
            running.feed.markSynced()
            #expect(try await running.isProgrammed())
        }
    }

    @Test func `waits for its Node, and begins when that comes`() async throws {
        try await run(NodeWait(needsPodCIDRs: false)) { running in
            running.feed.publish([web])
            running.feed.markSynced()
            try await Task.sleep(for: .milliseconds(100))
            #expect(await running.kernel.observations.isEmpty)
            running.feed.publish([.node("node1", node)])
            #expect(try await running.isProgrammed())
        }
    }
}
