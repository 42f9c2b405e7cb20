import Kubernetes
import Logging
import Model
import NodeProxy
import Reconciler
import Testing
import Translation

private let address = IPAddress(v4: 0x0a60_000a)
private let server = VirtualServer.Identity(.tcp, AddressPort(address, 80))

private func service() -> ClusterChange {
    .service(
        NamespacedName(namespace: "default", name: "web"),
        Service(
            metadata: ObjectMeta(name: "web", namespace: "default"), clusterIP: "10.96.0.10", clusterIPs: ["10.96.0.10"],
            ports: [ServicePort(name: "p", transport: .tcp, port: 80)]))
}

private func slice(_ addresses: String...) -> ClusterChange {
    .endpointSlice(
        NamespacedName(namespace: "default", name: "web-1"),
        EndpointSlice(
            metadata: ObjectMeta(name: "web-1", namespace: "default", labels: [EndpointSlice.serviceNameLabel: "web"]), addressType: .ipv4,
            endpoints: addresses.map { Endpoint(addresses: [$0]) }, ports: [EndpointPort(name: "p", port: 8080, transport: .tcp)]))
}

/// What others change in the kernel is found by audits.
@Suite struct `Drift` {
    private let kernel = MemoryKernel()
    private let synchronizer: Synchronizer

    init() {
        synchronizer = Synchronizer(
            translation: Translation(TranslationSettings(nodeName: "node1")), dataplane: kernel, drainTimeout: .seconds(900),
            excludedCIDRs: [], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func audit() async -> [Operation.Kind] {
        await synchronizer.beginAudit()
        var repairs = await synchronizer.sync().repairs
        while await synchronizer.isAuditing {
            await synchronizer.continueAudit()
            repairs += await synchronizer.sync().repairs
        }
        return repairs.map(\.kind).sorted { $0.rawValue < $1.rawValue }
    }

    private func serve(_ slice: ClusterChange) async {
        await synchronizer.absorb([service(), slice])
        #expect(await audit().isEmpty, "what a proxy finds when it starts is not drift")
    }

    @Test func `is what others took away, and what they changed`() async {
        await serve(slice("10.244.0.1", "10.244.0.2"))
        #expect(await audit().isEmpty, "nobody meddled")
        await kernel.meddle { state in
            state.addresses[address] = nil
            let known = state.virtualServers[server]?.realServers.keys.min()
            if let known { state.virtualServers[server]?.realServers[known] = nil }
        }
        #expect(await audit() == [.addRealServer, .bind])
        #expect(await audit().isEmpty, "it was put right")
        await kernel.meddle { $0.rules[.ipv4] = Rules(.ipv4) }
        #expect(await audit() == [.restoreRules])
    }

    @Test func `is not what changes in the cluster while an audit looks`() async {
        await serve(slice("10.244.0.1"))
        await synchronizer.absorb([slice("10.244.0.1", "10.244.0.2")])
        #expect(await audit().isEmpty)
        await synchronizer.absorb([slice("10.244.0.1", "10.244.0.2", "10.244.0.3")])
        await kernel.meddle { $0.addresses[address] = nil }
        #expect(await audit() == [.bind])
        #expect(await kernel.state.virtualServers[server]?.realServers.count == 3)
    }

    @Test func `is not a server that has drained`() async throws {
        await serve(slice("10.244.0.1", "10.244.0.2"))
        let going = AddressPort(try #require(IPAddress("10.244.0.2")), 8080)
        await kernel.meddle { $0.virtualServers[server]?.realServers[going]?.connections = .init(active: 1, inactive: 0) }
        await synchronizer.absorb([slice("10.244.0.1")])
        _ = await synchronizer.sync()
        #expect(await kernel.state.virtualServers[server]?.realServers[going]?.weight == 0, "it drains")
        await kernel.meddle { $0.virtualServers[server]?.realServers[going]?.connections = .init(active: 0, inactive: 0) }
        #expect(await audit().isEmpty)
        #expect(await kernel.state.virtualServers[server]?.realServers[going] == nil)
    }

    @Test func `is not what failed before, and what fails again is not put right`() async {
        await serve(slice("10.244.0.1"))
        await kernel.refuse(.addRealServer, times: 3)
        await synchronizer.absorb([slice("10.244.0.1", "10.244.0.2")])
        #expect(await !synchronizer.sync().succeeded)
        #expect(await audit().isEmpty)
        #expect(await kernel.state.virtualServers[server]?.realServers.count == 2)
        await kernel.meddle { $0.addresses[address] = nil }
        await kernel.refuse(.bind, times: 3)
        #expect(await audit().isEmpty)
        #expect(await audit().isEmpty, "it is known that this is left to do")
        #expect(await kernel.state.addresses.keys.contains(address))
    }
}
