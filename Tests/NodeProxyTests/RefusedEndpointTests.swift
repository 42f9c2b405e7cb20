import Kubernetes
import Logging
import Model
import NodeProxy
import Reconciler
import Synchronization
import Testing
import Translation

private let web = NamespacedName(namespace: "default", name: "web")
private let webServer = VirtualServer.Identity(.tcp, AddressPort(IPAddress(v4: 0x0a60_000a), 80))
/// 10.244.0.255
private let broadcast = IPAddress(v4: 0x0af4_00ff)

/// What was told as Events, each with the Service it is about.
private final class Told: EventRecorder {
    private let events = Mutex<[ClusterEvent]>([])
    func record(_ event: ClusterEvent) { events.withLock { $0.append(event) } }
    var notes: [String] { events.withLock { $0.map(\.note) } }
}

private func service() -> ClusterChange {
    .service(
        web,
        Service(
            metadata: ObjectMeta(name: "web", namespace: "default"), clusterIP: "10.96.0.10", clusterIPs: ["10.96.0.10"],
            ports: [ServicePort(name: "p", port: 80)]))
}

private func slice(_ addresses: String...) -> ClusterChange {
    .endpointSlice(
        NamespacedName(namespace: "default", name: "web-1"),
        EndpointSlice(
            metadata: ObjectMeta(name: "web-1", namespace: "default", labels: [EndpointSlice.serviceNameLabel: "web"]), addressType: .ipv4,
            endpoints: addresses.map { Endpoint(addresses: [$0]) }, ports: [EndpointPort(name: "p", port: 8080)]))
}

@Suite struct `An endpoint that the kernel refuses` {
    private let kernel = MemoryKernel()
    private let told = Told()
    private let synchronizer: Synchronizer

    init() {
        synchronizer = Synchronizer(
            translation: Translation(TranslationSettings(nodeName: "node1")), dataplane: kernel, drainTimeout: .seconds(900),
            excludedCIDRs: [], events: told, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func audit() async {
        await synchronizer.beginAudit()
        #expect(await synchronizer.sync().succeeded)
        while await synchronizer.isAuditing {
            await synchronizer.continueAudit()
            #expect(await synchronizer.sync().succeeded)
        }
    }

    private func attempts() async -> Int {
        await kernel.applied.count { if case .addRealServer(_, let server) = $0 { server.location.address == broadcast } else { false } }
    }

    @Test func `holds nothing up: the rest is served, and the node is in step`() async {
        await kernel.setUnwanted([broadcast])
        await synchronizer.absorb([service(), slice("10.244.0.1", "10.244.0.255")])
        let outcome = await synchronizer.sync()
        #expect(outcome.succeeded && outcome.mended.isEmpty)
        #expect(outcome.refusals.map(\.operation.kind) == [.addRealServer])
        #expect(await kernel.state.virtualServers[webServer]?.realServers.keys.map(\.address.description) == ["10.244.0.1"])
        #expect(await kernel.state.addresses.keys.contains(webServer.location.address))
        #expect(await attempts() == 1)
    }

    @Test func `is told once, with its Service and slice, until something is new`() async {
        await kernel.setUnwanted([broadcast])
        await synchronizer.absorb([service(), slice("10.244.0.1", "10.244.0.255")])
        _ = await synchronizer.sync()
        let note = "Not served: EndpointSlice default/web-1 endpoints.addresses 10.244.0.255: \(Refusal.Reason.kernel.rawValue)"
        #expect(told.notes == [note])
        await audit()
        await audit()
        await synchronizer.absorb([slice("10.244.0.1", "10.244.0.2", "10.244.0.255")])
        _ = await synchronizer.sync()
        #expect(told.notes == [note])
        await synchronizer.absorb([slice("10.244.0.1", "127.0.0.1", "10.244.0.255")])
        _ = await synchronizer.sync()
        #expect(
            told.notes.count == 2 && told.notes.last?.contains("10.244.0.255") == true && told.notes.last?.contains("127.0.0.1") == true)
    }

    @Test func `is tried again by audits alone, and served when the kernel will have it`() async {
        await kernel.setUnwanted([broadcast])
        await synchronizer.absorb([service(), slice("10.244.0.1", "10.244.0.255")])
        _ = await synchronizer.sync()
        await synchronizer.absorb([slice("10.244.0.2", "10.244.0.255")])
        _ = await synchronizer.sync()
        await synchronizer.tendServers()
        _ = await synchronizer.sync()
        #expect(await attempts() == 1)
        await audit()
        #expect(await attempts() == 2)
        await kernel.setUnwanted([])
        await audit()
        #expect(await kernel.state.virtualServers[webServer]?.realServers.keys.contains { $0.address == broadcast } == true)
        await kernel.forgetHistory()
        await audit()
        #expect(await attempts() == 0)
    }

    @Test func `is forgotten when it goes, and asked for anew when it comes again`() async {
        await kernel.setUnwanted([broadcast])
        await synchronizer.absorb([service(), slice("10.244.0.255")])
        _ = await synchronizer.sync()
        await synchronizer.absorb([slice("10.244.0.1")])
        _ = await synchronizer.sync()
        await kernel.setUnwanted([])
        await synchronizer.absorb([slice("10.244.0.255")])
        let outcome = await synchronizer.sync()
        #expect(outcome.succeeded && outcome.refusals.isEmpty)
        #expect(await kernel.state.virtualServers[webServer]?.realServers.keys.contains { $0.address == broadcast } == true)
        await synchronizer.absorb([.service(web, nil)])
        #expect(await synchronizer.sync().succeeded)
    }

    @Test func `is no excuse for what fails otherwise`() async {
        await kernel.setUnwanted([broadcast])
        await kernel.refuse(.bind, times: 3)
        await synchronizer.absorb([service(), slice("10.244.0.255")])
        let outcome = await synchronizer.sync()
        #expect(!outcome.succeeded && outcome.failures.map(\.operation.kind) == [.bind])
        #expect(await attempts() == 1)
        #expect(await synchronizer.sync().succeeded)
    }
}
