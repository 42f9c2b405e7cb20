import Kubernetes
import Model
import Reconciler
import SyncLoop
import TestSupport
import Testing
import Translation

/// With any events in any order, due work is done in time, and the kernel reaches the desired state.
@Suite struct `Under random changes, failures and external changes` {
    @Test(arguments: 0..<250 as Range<UInt64>)
    func `the kernel reaches the desired state, and no address is ever bound unprotected`(seed: UInt64) {
        // Then almost every plan is interrupted by changes that arrive while it is applied.
        let isPaced = seed >= 200
        var generator = SeededGenerator(seed: seed)
        let services = (0..<6).map { TestService("s\($0)", UInt32($0) + 10, [.tcp, .udp][$0 % 2]) }
        var node = SimulatedNode(
            minSyncPeriod: .milliseconds([0, 100, 1000].randomElement(using: &generator) ?? 0), syncPeriod: .seconds(30),
            drainTimeout: .seconds(5), serviceAddresses: [.address, .route, .auto(limit: 3)].randomElement(using: &generator) ?? .route,
            turn: .milliseconds(isPaced ? 20 : 50), smallestBatch: isPaced ? 1 : 64)
        if isPaced { node.operationCost = .milliseconds(15) }
        node.rulesDuration = .milliseconds(Int.random(in: 1...3000, using: &generator))
        // All slices fit into a sync period.
        node.auditDuration = .milliseconds(Int.random(in: 1...500, using: &generator))
        let nodeAddress = IPAddress(v4: 0x0a63_0002)
        let address = NodeAddress(type: "InternalIP", address: "\(nodeAddress)")
        node.absorb([.node("node1", Node(metadata: ObjectMeta(name: "node1"), addresses: [address]))])
        for _ in 0..<120 {
            if isPaced {
                // It arrives while operations are paused.
                let (service, numbers) = (
                    services[Int.random(in: 0..<6, using: &generator)], Array((1...UInt32.random(in: 1...4, using: &generator)))
                )
                node.schedule(
                    [service.slice(numbers)], at: node.now.advanced(by: .milliseconds(Int.random(in: 1...200, using: &generator))))
            }
            disturb(&node, services, &generator)
            let (desired, cluster) = (node.loop.desired, node.loop.cluster)
            let served = services.filter { cluster.services[$0.namespacedName] != nil && desired.accepts($0.clusterIP) }
            node.kernel.servedAddresses = Set(served.map(\.clusterIP).filter(node.kernel.accepts))
            node.run(for: .milliseconds(Int.random(in: 0...700, using: &generator)))
        }
        calm(&node)
        node.list()
        // Retries wait for at most a sync period, the next audit finds external changes, and drains end.
        node.run(for: .seconds(100))
        #expect(node.kernel.differences(from: node.loop.desired) == [])
        #expect(node.kernel.violations == [])
        #expect(
            node.status.isInSync && node.status.failing.isEmpty && node.status.drainingServers == 0,
            "\(node.status.failing) \(node.status.unreadable)")
        #expect(node.maxConcurrentRuleTasks <= 1)
        node.kernel.clearHistory()
        node.run(for: .seconds(60))
        #expect(node.kernel.attempts == [], "there is nothing left to do")
    }

    private func disturb(_ node: inout SimulatedNode, _ services: [TestService], _ generator: inout SeededGenerator) {
        let service = services[Int.random(in: 0..<services.count, using: &generator)]
        let number = UInt32.random(in: 1...4, using: &generator)
        switch Int.random(in: 0..<20, using: &generator) {
        case 0..<6: node.absorb([service.slice((1...4).filter { _ in Bool.random(using: &generator) })])
        case 6..<9: node.absorb([service.change])
        case 9: node.absorb([service.removal])
        case 10: node.list(isIncomplete: Bool.random(using: &generator))
        case 11: node.kernel.failures = [OperationKind.allCases.randomElement(using: &generator) ?? .bind: 2]
        case 12:
            node.kernel.broken = [
                .virtualServer(service.identity), .address(service.clusterIP), .route(service.clusterIP), .rules(.ipv4),
            ].filter { _ in
                Bool.random(using: &generator)
            }.reduce(into: []) { $0.insert($1) }
        case 13: node.kernel.isUnreadable = Bool.random(using: &generator)
        case 14: node.hangingRules = Bool.random(using: &generator) ? [.ipv4: .seconds(20)] : [:]
        case 15: node.kernel.connections[service.endpoint(number)] = UInt32.random(in: 0...1, using: &generator)
        case 16: node.kernel.removeVirtualServer(service.identity)
        case 17:
            node.kernel.removeAddress(service.clusterIP)
            node.kernel.removeRoute(service.clusterIP)
            if Bool.random(using: &generator) {
                node.loop.announced([.address(service.clusterIP, isBound: false), .route(service.clusterIP, nil)], at: node.now)
            }
        case 18:
            node.kernel.removeRealServers(of: service.identity)
            // At any time, also if nothing has changed.
            node.loop.announced([.anyOfDevice, .rules(.ipv4), .set(KubeSet.clusterIP.name(.ipv4))], at: node.now)
        default:
            let nodeAddress = IPAddress(v4: 0x0a63_0002)
            node.addressesAreUnreadable = Bool.random(using: &generator)
            node.localAddresses = Bool.random(using: &generator) ? [nodeAddress] : []
            node.kernel.sources = node.localAddresses
            node.loop.announced([.nodeAddresses], at: node.now)
        }
    }

    private func calm(_ node: inout SimulatedNode) {
        (node.kernel.failures, node.kernel.broken, node.kernel.isUnreadable, node.kernel.connections) = ([:], [], false, [:])
        (node.hangingRules, node.addressesAreUnreadable) = ([:], false)
    }

    @Test(arguments: 0..<30 as Range<UInt64>)
    func `a permanent failure delays changes of other Services by at most one attempt`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let (web, other) = (TestService("web", 10), TestService("other", 20))
        var node = SimulatedNode.listed([web.change, web.slice([1])])
        node.kernel.broken =
            [
                [.virtualServer(other.identity)], [.address(other.clusterIP)], [.realServer(other.identity, other.endpoint(1))],
                [.rules(.ipv4)], [.device],
            ].randomElement(using: &generator) ?? []
        node.absorb([other.change, other.slice([1, 2])])
        for number in 0..<200 as Range<UInt32> {
            let (requested, target) = (node.now, web.endpoint(10 + number))
            node.absorb([web.slice([1, 10 + number])])
            node.run(for: .milliseconds(Int.random(in: 100...300, using: &generator)))
            node.run(for: .milliseconds(10))
            let done = node.attempts { if case .addRealServer(_, let server) = $0 { server.location == target } else { false } }
            // The minimum sync period, and the few steps of one attempt with the observation that follows it.
            #expect(done.contains { requested.duration(to: $0) <= .milliseconds(100 + 10) })
        }
    }
}
