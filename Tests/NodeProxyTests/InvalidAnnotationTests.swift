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

private final class Told: EventRecorder {
    private let events = Mutex<[ClusterEvent]>([])
    func record(_ event: ClusterEvent) { events.withLock { $0.append(event) } }
    var notes: [String] { events.withLock { $0.map { "\($0.reason) \($0.regarding.name): \($0.note)" } } }
}

private func service(scheduler: String) -> ClusterChange {
    .service(
        web,
        Service(
            metadata: ObjectMeta(name: "web", namespace: "default", annotations: ["kube-ipvs-proxy.io/scheduler": scheduler]),
            clusterIP: "10.96.0.10", clusterIPs: ["10.96.0.10"], ports: [ServicePort(port: 80)]))
}

@Suite struct `An annotation that cannot be heeded` {
    @Test func `is told once as an Event on its Service, which has the default until it is mended`() async {
        let (kernel, told) = (MemoryKernel(), Told())
        let synchronizer = Synchronizer(
            translation: Translation(TranslationSettings(nodeName: "node1", schedulers: [.roundRobin, .maglevHash])), dataplane: kernel,
            drainTimeout: .seconds(900), excludedCIDRs: [], events: told, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        for _ in 0..<2 {
            await synchronizer.absorb([service(scheduler: "magic")])
            #expect(await synchronizer.sync().succeeded)
        }
        #expect(await kernel.state.virtualServers[webServer]?.scheduler == .roundRobin)
        #expect(
            told.notes == [
                "InvalidAnnotation web: Not heeded: kube-ipvs-proxy.io/scheduler \"magic\": this node's kernel has no such scheduler; it has rr, mh"
            ])
        #expect(await synchronizer.standing.invalidAnnotations.count == 1)
        await kernel.forgetHistory()
        await synchronizer.absorb([service(scheduler: "mh")])
        #expect(await synchronizer.sync().operations.map(\.kind) == [.editVirtualServer])
        #expect(await kernel.state.virtualServers[webServer]?.scheduler == .maglevHash)
        #expect(await synchronizer.standing.invalidAnnotations.isEmpty)
        #expect(told.notes.count == 1)
    }
}
