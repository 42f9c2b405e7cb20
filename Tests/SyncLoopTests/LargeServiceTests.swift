import Kubernetes
import Model
import Reconciler
import SyncLoop
import TestSupport
import Testing
import Translation

/// A Service with many ports and endpoints, on a kernel in which each operation takes its time.
private struct LargeService {
    var name = "large"
    var ports = 100
    var clusterIP = IPAddress(v4: 0x0a60_4000)
    var externalIPs: [String] = []
    var firstPort: UInt16 = 1000

    var namespacedName: NamespacedName { NamespacedName(namespace: "default", name: name) }

    var change: ClusterChange {
        .service(
            namespacedName,
            Service(
                metadata: ObjectMeta(name: name, namespace: "default"), clusterIP: "\(clusterIP)", clusterIPs: ["\(clusterIP)"],
                ports: (0..<ports).map { ServicePort(name: "p\($0)", transport: .tcp, port: firstPort + UInt16($0)) },
                externalIPs: externalIPs))
    }

    var removal: ClusterChange { .service(namespacedName, nil) }

    func slice(_ numbers: Range<UInt32>) -> ClusterChange {
        .endpointSlice(
            NamespacedName(namespace: "default", name: "\(name)-1"),
            EndpointSlice(
                metadata: ObjectMeta(name: "\(name)-1", namespace: "default", labels: [EndpointSlice.serviceNameLabel: name]),
                addressType: .ipv4, endpoints: numbers.map { Endpoint(addresses: [IPAddress(v4: 0x0af5_0000 + $0)]) },
                ports: (0..<ports).map { EndpointPort(name: "p\($0)", port: UInt16(2000 + $0), transport: .tcp) }))
    }
}

@Suite struct `While a large Service changes` {
    private let large = LargeService()
    private let web = TestService("web", 10)

    /// The large Service has 3,000 real servers. One operation takes 0.4 ms, so that all take 1.2 s.
    private func node(minSyncPeriod: Duration = .zero, _ changes: [ClusterChange]) -> SimulatedNode {
        var node = SimulatedNode(minSyncPeriod: minSyncPeriod, syncPeriod: .seconds(3600))
        node.operationCost = .microseconds(400)
        node.absorb(changes)
        node.list()
        node.run(for: .seconds(10))
        node.attemptTimes = []
        node.outcomes = []
        return node
    }

    /// Adds an endpoint to `web` every 90 ms and returns how long each change took to reach the kernel.
    private func delays(_ node: inout SimulatedNode, _ first: [ClusterChange], count: UInt32 = 40) -> [Duration] {
        let start = node.now
        node.absorb(first)
        let times = (0..<count).map { start.advanced(by: .milliseconds(20 + 90 * Int($0))) }
        for (number, time) in zip(0..., times) {
            node.schedule([web.slice([1] + (100...100 + UInt32(number)))], at: time)
        }
        node.run(for: .seconds(20))
        return zip(0..., times).map { number, time in
            let target = web.endpoint(100 + UInt32(number))
            let done = node.attempts { if case .addRealServer(web.identity, let server) = $0 { server.location == target } else { false } }
            return done.first.map { time.duration(to: $0) } ?? .seconds(1000)
        }
    }

    private func expectEverythingApplied(_ node: SimulatedNode, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(node.kernel.differences(from: node.loop.desired) == [], sourceLocation: sourceLocation)
        #expect(node.kernel.violations == [] && node.status.isInSync && node.status.pendingServices.isEmpty, sourceLocation: sourceLocation)
    }

    @Test func `changes of another one reach the kernel within 300 ms, and nothing is lost`() throws {
        var node = node([large.change, large.slice(0..<30), web.change, web.slice([1])])
        let delays = delays(&node, [large.slice(100..<130)])
        #expect(try #require(delays.max()) < .milliseconds(300), "\(delays)")
        expectEverythingApplied(node)
        #expect(node.attempts { $0.kind == .addRealServer }.count == 3000 + 40, "nothing was applied twice")
    }

    @Test func `a change that arrived together with it comes first`() throws {
        var node = node([large.change, large.slice(0..<30), web.change, web.slice([1])])
        let start = node.now
        node.absorb([large.slice(100..<130), web.slice([1, 2])])
        node.run(for: .seconds(20))
        let times = node.attempts { if case .addRealServer(web.identity, _) = $0 { true } else { false } }
        let done = try #require(times.first)
        #expect(start.duration(to: done) < .milliseconds(50))
        #expect(node.outcomes.count >= 2, "the sync of the other Service does not wait for the large one")
        expectEverythingApplied(node)
    }

    @Test func `its next version replaces what is left of the one before`() throws {
        var node = node([large.change, large.slice(0..<30), web.change, web.slice([1])])
        let start = node.now
        node.schedule([large.slice(200..<230)], at: start.advanced(by: .milliseconds(300)))
        let delays = delays(&node, [large.slice(100..<130)])
        #expect(try #require(delays.max()) < .milliseconds(300), "\(delays)")
        expectEverythingApplied(node)
        #expect(node.attempts { $0.kind == .addRealServer }.count < 3000 + 1500, "most of the first version was never applied")
    }

    @Test func `it is created and deleted in the order of phases`() throws {
        var node = node([web.change, web.slice([1])])
        let start = node.now
        node.schedule([large.removal], at: start.advanced(by: .seconds(8)))
        let delays = delays(&node, [large.change, large.slice(0..<30)], count: 100)
        #expect(try #require(delays.max()) < .milliseconds(300), "\(delays)")
        expectEverythingApplied(node)
        let operations = node.attemptTimes.map(\.operation).filter {
            $0.virtualServer?.location.address == large.clusterIP || $0.isAbout(large.clusterIP)
        }
        func last(_ kind: OperationKind) throws -> Int { try #require(operations.lastIndex { $0.kind == kind }) }
        func first(_ kind: OperationKind) throws -> Int { try #require(operations.firstIndex { $0.kind == kind }) }
        #expect(try last(.addMember) < first(.addVirtualServer), "nothing is served before its restrictions are in place")
        #expect(try last(.addRealServer) < first(.bind), "the address answers last")
        #expect(try last(.unbind) < first(.deleteVirtualServer) && last(.deleteVirtualServer) < first(.removeMember))
        #expect(operations.count { $0.kind == .addVirtualServer } == 100 && operations.count { $0.kind == .deleteVirtualServer } == 100)
    }

    @Test func `drains that are observed in many parts delay nobody`() throws {
        let many = LargeService(ports: 1000)
        var node = node([many.change, many.slice(0..<2), web.change, web.slice([1])])
        node.operationCost = .microseconds(20)
        // An observation of 256 virtual servers takes 120 ms.
        node.stepDuration = .milliseconds(120)
        let delays = delays(&node, [many.slice(10..<12)])
        #expect(try #require(delays.max()) < .milliseconds(120 * 5), "\(delays)")
        node.stepDuration = .milliseconds(1)
        node.run(for: .seconds(60))
        expectEverythingApplied(node)
    }

    @Test func `the minimum sync period still applies to the others`() {
        var node = node(minSyncPeriod: .milliseconds(500), [large.change, large.slice(0..<30), web.change, web.slice([1])])
        _ = delays(&node, [large.slice(100..<130)])
        let times = node.attempts { if case .addRealServer(web.identity, _) = $0 { true } else { false } }
        for (before, after) in zip(times, times.dropFirst()) where before != after {
            #expect(before.duration(to: after) >= .milliseconds(500))
        }
        expectEverythingApplied(node)
    }

    @Test func `a failure in it is retried, and changes of others continue`() throws {
        var node = node([large.change, large.slice(0..<30), web.change, web.slice([1])])
        node.kernel.failures = [.addRealServer: 3]
        let delays = delays(&node, [large.slice(100..<130)])
        #expect(try #require(delays.max()) < .milliseconds(300), "\(delays)")
        expectEverythingApplied(node)
    }

    @Test func `its address is not bound without the set members that others removed meanwhile`() {
        var node = node([web.change, web.slice([1])])
        node.absorb([large.change, large.slice(0..<30)])
        node.run(for: .milliseconds(600))
        let isBound = node.attempts { $0.kind == .bind && $0.isAbout(large.clusterIP) }
        #expect(isBound.isEmpty && !node.attempts { $0.kind == .addRealServer }.isEmpty, "the large Service is in progress")
        let sets = [KubeSet.clusterIP.name(.ipv4), KubeSet.ipvsIPs.name(.ipv4)]
        for set in sets { node.kernel.removeMembers(of: set) }
        node.loop.announced(sets.map { .set($0) }, at: node.now)
        node.run(for: .seconds(20))
        expectEverythingApplied(node)
    }

    @Test func `two of them that share an address keep the order of phases for it`() throws {
        let shared = IPAddress(v4: 0xc633_6401)
        var (first, second) = (large, LargeService(name: "second", ports: 90, clusterIP: IPAddress(v4: 0x0a60_5000), firstPort: 3000))
        (first.externalIPs, second.externalIPs) = (["\(shared)"], ["\(shared)"])
        var node = node([web.change, web.slice([1])])
        node.absorb([first.change, first.slice(0..<30), second.change, second.slice(0..<30)])
        node.run(for: .seconds(20))
        expectEverythingApplied(node)
        func operations() -> [Operation] {
            node.attemptTimes.map(\.operation).filter { $0.virtualServer?.location.address == shared || $0.isAbout(shared) }
        }
        let added = operations()
        let bind = try #require(added.firstIndex { $0.kind == .bind })
        #expect(added.count { $0.kind == .addVirtualServer } == 190)
        for kind in [OperationKind.addMember, .addVirtualServer, .addRealServer] {
            #expect(try #require(added.lastIndex { $0.kind == kind }) < bind, "\(kind)")
        }
        node.attemptTimes = []
        node.absorb([first.removal, second.removal])
        node.run(for: .seconds(20))
        expectEverythingApplied(node)
        let removed = operations()
        let unbind = try #require(removed.firstIndex { $0.kind == .unbind })
        for kind in [OperationKind.deleteVirtualServer, .removeMember] {
            #expect(try #require(removed.firstIndex { $0.kind == kind }) > unbind, "\(kind)")
        }
    }

    @Test func `two of them share the time, the smaller one first`() throws {
        let small = LargeService(name: "smaller", ports: 20, clusterIP: IPAddress(v4: 0x0a60_5000))
        var node = node([large.change, large.slice(0..<30), small.change, small.slice(0..<30), web.change, web.slice([1])])
        let delays = delays(&node, [large.slice(100..<130), small.slice(100..<130)])
        #expect(try #require(delays.max()) < .milliseconds(300), "\(delays)")
        func last(_ address: IPAddress) throws -> Timestamp {
            let times = node.attempts { $0.kind == .addRealServer && $0.virtualServer?.location.address == address }
            return try #require(times.last)
        }
        #expect(try last(small.clusterIP) < last(large.clusterIP))
        expectEverythingApplied(node)
    }
}

extension Operation {
    fileprivate func isAbout(_ address: IPAddress) -> Bool {
        switch self {
        case .bind(let bound, _), .unbind(let bound): bound == address
        case .addMember(_, let member, _), .removeMember(_, let member):
            switch member {
            case .address(let named): named == address
            case .addressPort(let location, _): location.address == address
            default: false
            }
        default: false
        }
    }
}
