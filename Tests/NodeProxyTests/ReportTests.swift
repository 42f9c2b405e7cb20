import Kubernetes
import Logging
import Model
import NodeProxy
import StatusTable
import Testing
import Translation

@Suite struct `What the status command is told` {
    private func change(_ name: String, _ address: String, externalIP: String, _ labels: Labels) -> ClusterChange {
        .service(
            NamespacedName(namespace: "default", name: name),
            Service(
                metadata: ObjectMeta(name: name, namespace: "default", labels: labels), clusterIP: address, clusterIPs: [address],
                ports: [ServicePort(port: 80)], externalIPs: [externalIP]))
    }

    @Test func `is the uid of a Service that there is`() async {
        let synchronizer = Synchronizer(
            translation: Translation(TranslationSettings(nodeName: "node1")), dataplane: MemoryKernel(), drainTimeout: .seconds(900),
            excludedCIDRs: [], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let web = NamespacedName(namespace: "default", name: "web")
        await synchronizer.absorb([.service(web, Service(metadata: ObjectMeta(name: "web", namespace: "default", uid: "0f-1a")))])
        #expect(await synchronizer.uid(of: .service(web)) == "0f-1a")
        #expect(await synchronizer.uid(of: .service(NamespacedName(namespace: "shop", name: "web"))) == nil)
        #expect(await synchronizer.uid(of: .node("web")) == nil)
    }

    @Test(arguments: [("2h", 7200), ("10m", 600), (nil, 900), ("nonsense", 900)] as [(String?, Int64)])
    func `is how long an endpoint may drain yet: as its Service says, else as all others`(annotation: String?, seconds: Int64) async {
        let synchronizer = Synchronizer(
            translation: Translation(TranslationSettings(nodeName: "node1")), dataplane: MemoryKernel(), drainTimeout: .seconds(900),
            excludedCIDRs: [], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let web = NamespacedName(namespace: "default", name: "web")
        let annotations = annotation.map { ["kube-ipvs-proxy.io/drain-timeout": $0] } ?? [:]
        func slice(_ endpoints: [Endpoint]) -> ClusterChange {
            .endpointSlice(
                NamespacedName(namespace: "default", name: "web-1"),
                EndpointSlice(
                    metadata: ObjectMeta(name: "web-1", namespace: "default", labels: [EndpointSlice.serviceNameLabel: "web"]),
                    addressType: .ipv4, endpoints: endpoints, ports: [EndpointPort(name: "p", port: 8080)]))
        }
        let service = Service(
            metadata: ObjectMeta(name: "web", namespace: "default", annotations: annotations), clusterIP: "10.96.0.10",
            clusterIPs: ["10.96.0.10"], ports: [ServicePort(name: "p", port: 80)])
        await synchronizer.absorb([.service(web, service), slice([Endpoint(addresses: ["10.244.0.1"])])])
        _ = await synchronizer.sync()
        await synchronizer.absorb([slice([])])
        _ = await synchronizer.sync()
        let draining = await synchronizer.report().virtualServers.flatMap(\.draining)
        // However long the test took: what has passed and what is left make the whole.
        #expect(draining.map { $0.seconds + $0.secondsLeft } == [seconds])
    }

    @Test func `is about the Services that a selector matches, in what is served and in what is not`() async throws {
        let synchronizer = Synchronizer(
            translation: Translation(TranslationSettings(nodeName: "node1")), dataplane: MemoryKernel(), drainTimeout: .seconds(900),
            excludedCIDRs: [], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        await synchronizer.absorb([
            change("web", "10.96.0.10", externalIP: "127.0.0.1", ["app": "web"]),
            change("db", "10.96.0.11", externalIP: "127.0.0.1", ["app": "db"]),
        ])
        _ = await synchronizer.sync()
        let all = await synchronizer.report()
        #expect(all.virtualServers.map(\.service) == ["web", "db"] && all.notServed.map(\.service) == ["db", "web"])
        let web = await synchronizer.report(try LabelSelector("app in (web)"))
        #expect(web.virtualServers.map(\.service) == ["web"] && web.notServed.map(\.service) == ["web"])
        #expect(await synchronizer.report(try LabelSelector("!app")).virtualServers.isEmpty)
    }
}
