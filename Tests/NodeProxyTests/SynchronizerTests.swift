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

private func service(_ transport: Transport = .tcp) -> ClusterChange {
    .service(
        web,
        Service(
            metadata: ObjectMeta(name: "web", namespace: "default"), clusterIP: "10.96.0.10", clusterIPs: ["10.96.0.10"],
            ports: [ServicePort(name: "p", transport: transport, port: 80)]))
}

private func slice(_ addresses: String..., over transport: Transport = .tcp) -> ClusterChange {
    .endpointSlice(
        NamespacedName(namespace: "default", name: "web-1"),
        EndpointSlice(
            metadata: ObjectMeta(name: "web-1", namespace: "default", labels: [EndpointSlice.serviceNameLabel: "web"]), addressType: .ipv4,
            endpoints: addresses.map { Endpoint(addresses: [$0]) }, ports: [EndpointPort(name: "p", port: 8080, transport: transport)]))
}

private func synchronizer(_ kernel: MemoryKernel) -> Synchronizer {
    Synchronizer(
        translation: Translation(TranslationSettings(nodeName: "node1")), dataplane: kernel, drainTimeout: .seconds(900), excludedCIDRs: [],
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
}

/// All parts of an audit.
private func audit(_ synchronizer: Synchronizer) async {
    await synchronizer.beginAudit()
    #expect(await synchronizer.sync().succeeded)
    while await synchronizer.isAuditing {
        await synchronizer.continueAudit()
        #expect(await synchronizer.sync().succeeded)
    }
}

@Suite struct `A sync` {
    @Test func `brings the kernel to what the cluster asks for`() async {
        let kernel = MemoryKernel()
        let synchronizer = synchronizer(kernel)
        await synchronizer.absorb([service(), slice("10.244.0.1", "10.244.0.2")])
        let outcome = await synchronizer.sync()
        #expect(outcome.succeeded)
        #expect(await kernel.state.virtualServers[webServer]?.realServers.count == 2)
        #expect(await kernel.state.addresses.keys.contains(webServer.location.address))
    }

    @Test func `tells how many packets rules dropped`() async {
        let kernel = MemoryKernel()
        let synchronizer = synchronizer(kernel)
        await kernel.setDropped([.ipv6: [Rules.Chain(.filter, "KUBE-SOURCE-RANGES-FIREWALL"): 5]])
        _ = await synchronizer.sync()
        #expect(await synchronizer.standing.droppedPackets == [DroppedPackets(.sourceRanges, .ipv6): 5])
    }

    @Test func `does and asks nothing where nothing changed`() async {
        let kernel = MemoryKernel()
        let synchronizer = synchronizer(kernel)
        await synchronizer.absorb([service(), slice("10.244.0.1")])
        _ = await synchronizer.sync()
        await kernel.forgetHistory()
        await synchronizer.absorb([service(), slice("10.244.0.1")])
        let outcome = await synchronizer.sync()
        #expect(outcome.operations.isEmpty)
        #expect(await kernel.observations.isEmpty)
    }

    @Test func `tries again at once what failed, after a look at the kernel`() async {
        let kernel = MemoryKernel()
        let synchronizer = synchronizer(kernel)
        await kernel.refuse(.addRealServer, times: 1)
        await synchronizer.absorb([service(), slice("10.244.0.1")])
        let outcome = await synchronizer.sync()
        #expect(outcome.succeeded)
        #expect(await kernel.state.virtualServers[webServer]?.realServers.count == 1)
    }

    @Test func `that keeps failing says so, does the rest, and is made good by a later one`() async {
        let kernel = MemoryKernel()
        let synchronizer = synchronizer(kernel)
        await kernel.refuse(.bind, times: 3)
        await synchronizer.absorb([service(), slice("10.244.0.1")])
        let outcome = await synchronizer.sync()
        #expect(outcome.failures.map(\.operation.kind) == [.bind])
        #expect(outcome.failures.first?.operation.origin?.service == web)
        #expect(await kernel.state.virtualServers[webServer]?.realServers.count == 1)
        #expect(await synchronizer.sync().succeeded)
        #expect(await kernel.state.addresses.keys.contains(webServer.location.address))
    }

    @Test func `makes good a set that could not be made, in the same sync`() async {
        let kernel = MemoryKernel()
        let synchronizer = synchronizer(kernel)
        await kernel.refuse(.createSet, times: 1)
        await synchronizer.absorb([service(), slice("10.244.0.1")])
        #expect(await synchronizer.sync().succeeded)
        #expect(await kernel.state.sets.count == 2 * KubeSet.allCases.count)
    }

    @Test func `binds no address while the rules that protect it do not stand`() async {
        let kernel = MemoryKernel()
        let synchronizer = synchronizer(kernel)
        await kernel.refuse(.restoreRules, times: 6)
        await synchronizer.absorb([service(), slice("10.244.0.1")])
        #expect(await !synchronizer.sync().succeeded)
        let left = await kernel.state
        #expect(left.addresses.isEmpty && left.virtualServers.isEmpty)
        #expect(await synchronizer.sync().succeeded)
        #expect(await kernel.state.addresses.keys.contains(webServer.location.address))
    }

    @Test func `whose flows could not be forgotten says so, and a later one makes it good though nothing changes`() async {
        let kernel = MemoryKernel()
        let synchronizer = synchronizer(kernel)
        await kernel.refuse(.forgetFlows, times: 2)
        await synchronizer.absorb([service(.udp), slice("10.244.0.1", over: .udp)])
        for succeeds in [false, false, true] {
            await kernel.forgetHistory()
            let outcome = await synchronizer.sync()
            #expect(outcome.succeeded == succeeds)
            #expect(await kernel.applied.count { $0.kind == .forgetFlows } == 1)
            if let failure = outcome.failures.first { #expect(await synchronizer.origin(of: failure.operation)?.service == web) }
        }
        #expect(await synchronizer.sync().operations.isEmpty)
    }

    @Test func `takes nothing away while the source holds back what it does not know well`() async {
        let kernel = MemoryKernel()
        let synchronizer = synchronizer(kernel)
        await synchronizer.absorb([service(), slice("10.244.0.1")])
        _ = await synchronizer.sync()
        let next = NodeProxyTests.synchronizer(kernel)
        await next.holdBack(true)
        _ = await next.sync()
        #expect(await kernel.state.virtualServers[webServer] != nil)
        #expect(await kernel.state.addresses.keys.contains(webServer.location.address))
        await next.holdBack(false)
        _ = await next.sync()
        let left = await kernel.state
        #expect(left.virtualServers.isEmpty && left.addresses.isEmpty)
    }

    @Test func `that cannot look at the kernel changes nothing and looks at all of it later`() async {
        let kernel = MemoryKernel()
        let synchronizer = synchronizer(kernel)
        await kernel.setBlind(true)
        await synchronizer.absorb([service(), slice("10.244.0.1")])
        let outcome = await synchronizer.sync()
        #expect(outcome.observationFailure != nil && !outcome.succeeded)
        #expect(await kernel.applied.isEmpty)
        await kernel.setBlind(false)
        #expect(await synchronizer.sync().succeeded)
        #expect(await kernel.state.virtualServers[webServer] != nil)
    }

    @Test func `after an audit repairs what others took away`() async {
        let kernel = MemoryKernel()
        let synchronizer = synchronizer(kernel)
        await synchronizer.absorb([service(), slice("10.244.0.1")])
        _ = await synchronizer.sync()
        let good = await kernel.state
        await kernel.meddle {
            $0.virtualServers[webServer]?.realServers = [:]
            $0.sets[KubeSet.clusterIP.name(.ipv4)]?.members = [:]
            $0.rules[.ipv4] = nil
            $0.addresses = [:]
        }
        await audit(synchronizer)
        let repaired = await kernel.state
        #expect(repaired.virtualServers == good.virtualServers && repaired.rules == good.rules)
        #expect(Set(repaired.addresses.keys) == Set(good.addresses.keys))
        #expect(repaired.sets == good.sets)
    }

    @Test func `drains an endpoint that goes and deletes it when its connections have ended`() async {
        let kernel = MemoryKernel()
        let synchronizer = synchronizer(kernel)
        await synchronizer.absorb([service(), slice("10.244.0.1", "10.244.0.2")])
        _ = await synchronizer.sync()
        let leaving = AddressPort(IPAddress(v4: 0x0af4_0002), 8080)
        await kernel.meddle { $0.virtualServers[webServer]?.realServers[leaving]?.connections = .init(active: 1, inactive: 0) }
        await synchronizer.absorb([slice("10.244.0.1")])
        #expect(await synchronizer.sync().succeeded)
        #expect(await kernel.state.virtualServers[webServer]?.realServers[leaving]?.weight == 0)
        #expect(await synchronizer.drainingServerCount == 1)

        await kernel.meddle { $0.virtualServers[webServer]?.realServers[leaving]?.connections = .init(active: 0, inactive: 0) }
        await synchronizer.tendServers()
        #expect(await synchronizer.sync().succeeded)
        #expect(await kernel.state.virtualServers[webServer]?.realServers[leaving] == nil)
        #expect(await synchronizer.drainingServerCount == 0)
    }

    @Test func `leaves a foreign virtual server alone, whatever happens`() async {
        let kernel = MemoryKernel()
        let foreign = VirtualServer(
            .init(.tcp, AddressPort(IPAddress(v4: 0xc000_0201), 80)), realServers: [RealServer(AddressPort(IPAddress(v4: 1), 1))])
        await kernel.meddle { $0.virtualServers[foreign.identity] = foreign }
        let synchronizer = synchronizer(kernel)
        await synchronizer.absorb([service(), slice("10.244.0.1")])
        _ = await synchronizer.sync()
        await synchronizer.absorb([.service(web, nil)])
        _ = await synchronizer.sync()
        await audit(synchronizer)
        #expect(await kernel.state.virtualServers == [foreign.identity: foreign])
    }

    @Test func `tells what the kernel is to hold where that changed, and else nothing`() async {
        let told = Mutex<[(Scope, NodeState)]>([])
        let kernel = MemoryKernel()
        let synchronizer = Synchronizer(
            translation: Translation(TranslationSettings(nodeName: "node1")), dataplane: kernel, drainTimeout: .seconds(900),
            excludedCIDRs: [], afterSync: { scope, desired in told.withLock { $0.append((scope, desired)) } },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        await kernel.setBlind(true)
        await synchronizer.absorb([service(), slice("10.244.0.1")])
        #expect(await !synchronizer.sync().succeeded)
        #expect(told.withLock { $0.count } == 0, "nothing was done for it yet")
        await kernel.setBlind(false)
        for _ in 0..<2 { #expect(await synchronizer.sync().succeeded) }
        let (scopes, states) = told.withLock { ($0.map(\.0), $0.map(\.1)) }
        #expect(states.count == 1 && states.first?.virtualServers.keys.contains(webServer) == true)
        guard case .only(let selection)? = scopes.first, selection.virtualServers == [webServer] else {
            Issue.record("not just what changed: \(scopes)")
            return
        }
    }
}
