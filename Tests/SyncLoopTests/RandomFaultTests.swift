import Kubernetes
import Model
import Reconciler
import SyncLoop
import TestSupport
import Testing
import Translation

/// A virtual server was left over after the acknowledgement of its addition was lost, or a member of a set after another one was read.
private let seedsThatFailedOnce: [UInt64] = [80, 102, 110, 111, 132, 146, 157]

/// Every operation, observation and audit may fail, carried out or not.
@Suite struct `While random operations and reads fail` {
    /// Served before the first failure, and never changed.
    private let unchanged = (0..<3).map { TestService("unchanged\($0)", UInt32($0) + 10, [.tcp, .udp][$0 % 2]) }
    /// Added while operations fail, and not changed afterwards.
    private let added = (0..<3).map { TestService("added\($0)", UInt32($0) + 20, [.tcp, .udp][$0 % 2]) }
    /// Changed and removed all the time.
    private let changing = (0..<3).map { TestService("changing\($0)", UInt32($0) + 30, [.tcp, .udp][$0 % 2]) }

    private static let minSyncPeriod = Duration.milliseconds(100)

    /// A node that serves the unchanged Services.
    private func node(_ generator: inout SeededGenerator) -> SimulatedNode {
        var node = SimulatedNode(
            minSyncPeriod: `While random operations and reads fail`.minSyncPeriod, drainTimeout: .seconds(5),
            serviceAddresses: [.address, .route, .auto(limit: 3)].randomElement(using: &generator) ?? .route)
        let address = NodeAddress(type: "InternalIP", address: "\(IPAddress(v4: 0x0a63_0002))")
        node.absorb([.node("node1", Node(metadata: ObjectMeta(name: "node1"), addresses: [address]))])
        node.absorb(unchanged.flatMap { [$0.change, $0.slice([1, 2])] })
        node.list()
        node.settle()
        return node
    }

    private func change(_ node: inout SimulatedNode, _ generator: inout SeededGenerator) {
        let service = changing[Int.random(in: changing.indices, using: &generator)]
        switch Int.random(in: 0..<8, using: &generator) {
        case 0: node.absorb([service.removal])
        case 1..<4: node.absorb([service.change])
        default: node.absorb([service.slice((1...4).filter { _ in Bool.random(using: &generator) })])
        }
    }

    /// Whether an operation concerns an object of one of these Services.
    private func concerns(_ services: [TestService], _ operation: Operation) -> Bool {
        services.contains { service in
            switch operation.subject {
            case .virtualServer(let identity), .realServer(let identity, _): identity == service.identity
            case .address(let address), .route(let address): address == service.clusterIP
            case .member(_, .address(let address)): address == service.clusterIP
            case .member(_, .addressPort(let location, _)): location.address == service.clusterIP
            default: false
            }
        }
    }

    /// Routes and addresses are exchanged if their number passes a limit.
    private func removes(_ operation: Operation) -> Bool {
        switch operation {
        case .deleteVirtualServer, .deleteRealServer, .removeMember, .destroySet, .deleteDevice, .editVirtualServer, .editRealServer: true
        default: false
        }
    }

    @Test(arguments: Array(0..<20 as Range<UInt64>) + seedsThatFailedOnce)
    func `what does not change keeps its state, and the rest reaches it within a sync period after the last failure`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var node = node(&generator)
        #expect(node.kernel.differences(from: node.loop.desired) == [])
        node.rulesDuration = .milliseconds(Int.random(in: 1...1000, using: &generator))
        node.kernel.faults = RandomFaults(seed: seed, rate: Double.random(in: 0.05...0.6, using: &generator))
        node.kernel.servedAddresses = Set(unchanged.map(\.clusterIP))
        node.kernel.clearHistory()
        for round in 0..<150 {
            if round % 50 == 10 { node.absorb([added[round / 50].change, added[round / 50].slice([1, 2, 3])]) }
            change(&node, &generator)
            node.failsAudits = Int.random(in: 0..<3, using: &generator) == 0
            node.run(for: .milliseconds(Int.random(in: 0...700, using: &generator)))
            let state = node.kernel.state
            for service in unchanged {
                let servers = state.virtualServers[service.identity]?.realServers.map(\.location) ?? []
                #expect(Set(servers) == [service.endpoint(1), service.endpoint(2)])
                #expect(node.kernel.accepts(service.clusterIP))
            }
        }
        #expect(node.kernel.violations == [])
        let touched = node.kernel.attempts.filter { removes($0) && concerns(unchanged, $0) }
        #expect(touched == [])
        (node.kernel.faults, node.failsAudits) = (nil, false)
        // The longest backoff, and the steps and restores that follow.
        node.run(for: .seconds(30 + 5))
        #expect(node.kernel.differences(from: node.loop.desired).filter { !$0.hasSuffix("is left over") } == [])
        #expect(node.status.failing.isEmpty && node.status.unreadable.values.allSatisfy(\.isOfAudit))
        // Drains end, and the next audits succeed.
        node.run(for: .seconds(70))
        #expect(node.kernel.differences(from: node.loop.desired) == [])
        #expect(node.status.isInSync && node.status.unreadable.isEmpty && node.status.pendingServices.isEmpty)
        node.kernel.clearHistory()
        node.run(for: .seconds(60))
        #expect(node.kernel.attempts == [], "there is nothing left to do")
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func `an operation that fails is sent again after its backoff, and no earlier`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var node = node(&generator)
        node.kernel.faults = RandomFaults(seed: seed, rate: 0.7)
        node.attemptTimes = []
        node.absorb(added.flatMap { [$0.change, $0.slice([1, 2, 3])] })
        for _ in 0..<200 {
            change(&node, &generator)
            node.run(for: .milliseconds(Int.random(in: 50...500, using: &generator)))
        }
        // The Services do not change: whatever is sent again has failed, each time.
        let attempts = node.attemptTimes.filter { concerns(added, $0.operation) && $0.operation.isRetriedAlone }
        for (operation, times) in Dictionary(grouping: attempts, by: \.operation).mapValues({ $0.map(\.time) }) {
            for (index, wait) in zip(times, times.dropFirst()).map({ $0.duration(to: $1) }).enumerated() {
                #expect(wait >= min(.milliseconds(500) * (1 << index), .seconds(30)) - .milliseconds(10), "\(operation): \(times)")
            }
        }
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func `changes of a Service whose operations succeed are not delayed`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var node = node(&generator)
        let web = unchanged[0]
        node.kernel.faults = RandomFaults(seed: seed, rate: 0.5) { concerns([web], $0) }
        for number in 0..<200 as Range<UInt32> {
            change(&node, &generator)
            let (requested, target) = (node.now, web.endpoint(10 + number))
            node.absorb([web.slice([1, 2, 10 + number])])
            node.run(for: .milliseconds(Int.random(in: 150...300, using: &generator)))
            let done = node.attempts { if case .addRealServer(_, let server) = $0 { server.location == target } else { false } }
            // The minimum sync period, and the steps of the failures with the observations that follow them.
            #expect(done.contains { requested.duration(to: $0) <= .milliseconds(100 + 40) }, "change \(number)")
        }
    }
}

extension Operation {
    /// False if it is also sent again when an operation before it in the same batch failed.
    fileprivate var isRetriedAlone: Bool {
        switch self {
        case .addRealServer, .flushConntrack: false
        default: true
        }
    }
}
