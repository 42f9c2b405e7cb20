import Kubernetes
import Model
import Reconciler
import SyncLoop
import TestSupport
import Testing
import Translation

/// Failed operations are retried and do not delay others.
@Suite struct `A failure` {
    private let web = TestService("web", 10)
    private let other = TestService("other", 20)

    private func node(syncPeriod: Duration = .seconds(30)) -> SimulatedNode {
        SimulatedNode.listed([other.change, other.slice([1])], syncPeriod: syncPeriod)
    }

    @Test func `is retried with exponential backoff, whatever else changes`() {
        var node = node()
        node.kernel.broken = [.virtualServer(web.identity)]
        node.absorb([web.change, web.slice([1, 2])])
        let start = node.now
        var slowest = Duration.zero
        for number in 0..<577 {
            let (requested, target) = (node.now, other.endpoint(2 + UInt32(number % 50)))
            node.absorb([other.slice([1, 2 + UInt32(number % 50)])])
            node.run(for: .milliseconds(130))
            let done = node.attempts { if case .addRealServer(_, let server) = $0 { server.location == target } else { false } }.last
            slowest = max(slowest, done.map { requested.duration(to: $0) } ?? .seconds(3600))
        }
        let times = node.attempts { $0.subject == .virtualServer(web.identity) }.map { start.duration(to: $0) / .seconds(1) }
        #expect((7...9).contains(times.count), "\(times)")
        for (index, wait) in zip(times, times.dropFirst()).map({ $1 - $0 }).enumerated() {
            #expect(wait >= min(0.5 * Double(1 << index), 30) - 0.01, "\(times)")
        }
        #expect(slowest <= .milliseconds(110), "a change of another Service waits for the minimum sync period only")
        let realServers = node.attempts { if case .addRealServer(let identity, _) = $0 { identity == web.identity } else { false } }
        #expect(realServers.count == 2, "sent once, together with the first attempt")
        #expect(node.attempts { $0.subject == .address(web.clusterIP) }.isEmpty, "operations that depend on it are not sent")
        #expect(node.log.count { $0.contains("Operation failed") } == times.count, "and not logged")
        #expect(node.status.failures.map(\.operation.kind) == [.addVirtualServer])
        #expect(node.status.pendingServices == [web.namespacedName])
        node.kernel.broken = []
        node.run(for: .seconds(31))
        #expect(node.kernel.differences(from: node.loop.desired).isEmpty && node.status.isInSync)
    }

    @Test func `triggers an immediate observation of the kernel, whose result is applied at once`() {
        var node = node()
        // Another program has created it meanwhile: EEXIST.
        node.kernel.putVirtualServer(VirtualServer(web.identity, scheduler: .maglevHash))
        node.absorb([web.change, web.slice([1])])
        node.run(for: .milliseconds(200))
        #expect(node.kernel.differences(from: node.loop.desired).isEmpty)
        #expect(node.outcomes.flatMap(\.recovered).map(\.operation.kind) == [.addVirtualServer])
        #expect(node.status.isInSync)
    }

    @Test func `that is transient is repaired after half a second`() {
        var node = node()
        node.kernel.failures = [.bind: 1]
        node.absorb([web.change, web.slice([1])])
        node.run(for: .milliseconds(300))
        #expect(node.status.failures.map(\.operation.kind) == [.bind] && !node.status.isInSync)
        #expect(node.kernel.state.virtualServers[web.identity]?.realServers.count == 1, "everything else is applied")
        node.run(for: .milliseconds(500))
        #expect(node.status.isInSync && node.status.failing.isEmpty)
    }

    @Test func `is retried immediately if the desired state changes`() {
        var node = node()
        node.kernel.broken = [.virtualServer(web.identity)]
        node.absorb([web.change])
        node.run(for: .seconds(10))
        node.kernel.broken = []
        var changed = web
        changed.annotations = ["kube-ipvs-proxy.io/scheduler": "mh"]
        node.absorb([changed.change])
        node.run(for: .milliseconds(200))
        #expect(node.kernel.state.virtualServers[web.identity]?.scheduler == .maglevHash)
    }

    @Test(arguments: [1, 2]) func `of an addition that was carried out leaves nothing if its Service is deleted before it is observed`(
        attempt: Int
    ) {
        var node = node()
        // The first attempt is observed at once, unless the kernel cannot be read; the next ones before their retry.
        if attempt == 1 { node.kernel.isUnreadable = true } else { node.kernel.failures = [.addVirtualServer: 1] }
        if attempt == 1 { node.kernel.faults = .losingAcknowledgements { $0.kind == .addVirtualServer } }
        node.absorb([web.change, web.slice([1])])
        node.run(for: .milliseconds(300))
        node.kernel.faults = .losingAcknowledgements { $0.kind == .addVirtualServer }
        node.run(for: .milliseconds(400))
        #expect(node.kernel.state.virtualServers[web.identity] != nil && node.status.failures.map(\.attempts) == [attempt])
        node.absorb([web.removal])
        node.run(for: .milliseconds(300))
        (node.kernel.isUnreadable, node.kernel.faults) = (false, nil)
        node.run(for: .seconds(40))
        #expect(node.kernel.differences(from: node.loop.desired) == [] && node.status.isInSync)
    }

    @Test func `of a removal that was carried out leaves nothing missing if its Service returns before it is observed`() {
        var node = SimulatedNode.listed([web.change, web.slice([1])])
        node.kernel.failures = [.deleteVirtualServer: 1]
        node.absorb([web.removal])
        node.run(for: .milliseconds(300))
        node.kernel.faults = .losingAcknowledgements { $0.kind == .deleteVirtualServer }
        node.run(for: .milliseconds(400))
        #expect(node.kernel.state.virtualServers.isEmpty && node.status.failures.map(\.attempts) == [2])
        node.absorb([web.change, web.slice([1])])
        node.run(for: .milliseconds(300))
        #expect(node.kernel.differences(from: node.loop.desired) == [] && node.status.isInSync)
    }

    @Test func `to count connections does not delay changes of the virtual server`() {
        var node = SimulatedNode.listed([web.change, web.slice([1, 2])])
        node.kernel.connections = [web.endpoint(2): 1]
        node.absorb([web.slice([1])])
        node.run(for: .milliseconds(300))
        node.kernel.isUnreadable = true
        node.run(for: .seconds(20))
        node.absorb([web.slice([1, 3])])
        node.run(for: .milliseconds(110))
        let servers = node.kernel.state.virtualServers[web.identity]?.realServers
        #expect(servers?[web.endpoint(3)]?.weight == 1 && servers?[web.endpoint(2)]?.weight == 0, "the other one drains")
    }

    @Test func `is dropped when its Service is deleted`() {
        var node = node()
        node.kernel.broken = [.virtualServer(web.identity)]
        node.absorb([web.change, web.slice([1])])
        node.run(for: .seconds(5))
        node.absorb([web.removal])
        node.run(for: .milliseconds(300))
        #expect(node.status.failing.isEmpty && node.status.pendingServices.isEmpty && node.status.isInSync)
    }

    @Test func `of a set delays only the rules, virtual servers and addresses that depend on it`() {
        var node = SimulatedNode()
        node.kernel.broken = [.set(KubeSet.clusterIP.name(.ipv4))]
        node.absorb([web.change, web.slice([1])])
        node.list()
        node.run(for: .seconds(10))
        #expect(node.kernel.state.addresses.isEmpty && node.kernel.violations.isEmpty)
        #expect(node.kernel.state.sets.count == node.loop.desired.sets.count - 1)
        node.kernel.broken = []
        node.run(for: .seconds(31))
        #expect(node.kernel.differences(from: node.loop.desired).isEmpty)
    }

    @Test func `of rules delays new addresses and virtual servers, but not endpoints`() {
        var node = node()
        let second = TestService("second", 30)
        node.hangingRules = [.ipv4: .seconds(60)]
        node.kernel.removeRules(.ipv4)
        node.run(for: .seconds(31))
        #expect(!node.status.isInSync, "an audit finds the rules missing, and restoring them hangs")
        node.absorb([second.change, second.slice([1])])
        for number in 0..<200 as Range<UInt32> {
            let requested = node.now
            node.absorb([other.slice([1, 2 + number])])
            node.run(for: .milliseconds(130))
            let done = node.attempts {
                if case .addRealServer(_, let server) = $0 { server.location == other.endpoint(2 + number) } else { false }
            }
            #expect(done.contains { requested.duration(to: $0) <= .milliseconds(120) })
        }
        #expect(node.kernel.state.virtualServers[second.identity] == nil && node.kernel.violations.isEmpty)
        #expect(node.maxConcurrentRuleTasks == 1)
        node.hangingRules = [:]
        node.run(for: .seconds(120))
        #expect(node.kernel.differences(from: node.loop.desired).isEmpty && node.status.isInSync)
    }

    @Test func `of one family's rules does not delay the other family`() {
        var node = SimulatedNode()
        node.hangingRules = [.ipv6: .seconds(60)]
        node.absorb([web.change, web.slice([1])])
        node.list()
        node.settle()
        #expect(node.kernel.state.addresses.keys.contains(web.clusterIP))
        #expect(node.status.familiesWithoutRules == [.ipv6] && !node.status.isInSync)
    }

    @Test func `to read the kernel keeps the known state and triggers no wider read`() {
        var node = node()
        node.kernel.failures = [.addRealServer: 1]
        node.kernel.isUnreadable = true
        node.kernel.clearHistory()
        node.absorb([other.slice([1, 2])])
        node.run(for: .seconds(5))
        #expect(!node.kernel.observations.contains(.everything))
        #expect(node.status.unreadable.keys.contains(.virtualServers))
        node.absorb([web.change])
        node.run(for: .milliseconds(200))
        #expect(node.kernel.state.virtualServers[web.identity] != nil, "others are served meanwhile")
        node.kernel.isUnreadable = false
        node.run(for: .seconds(31))
        #expect(node.kernel.differences(from: node.loop.desired).isEmpty && node.status.isInSync)
    }

    @Test func `of the first kernel read is retried, and nothing is changed before it succeeds`() {
        var node = SimulatedNode()
        node.kernel.isUnreadable = true
        node.absorb([web.change, web.slice([1])])
        node.list()
        node.run(for: .seconds(20))
        #expect(node.kernel.attempts.isEmpty && !node.status.isInSync)
        let reads = node.kernel.observations.count { $0 == .everything }
        #expect((4...7).contains(reads), "\(reads)")
        node.kernel.isUnreadable = false
        node.run(for: .seconds(31))
        #expect(node.status.isInSync)
    }

    @Test func `to read the node addresses keeps the previous ones, and syncs continue`() {
        var node = node()
        node.addressesAreUnreadable = true
        node.loop.announced([.nodeAddresses], at: node.now)
        node.run(for: .seconds(1))
        #expect(node.status.unreadable.keys.contains(.nodeAddresses))
        node.absorb([web.change, web.slice([1])])
        node.run(for: .milliseconds(300))
        #expect(node.kernel.state.virtualServers[web.identity]?.realServers.count == 1)
        node.addressesAreUnreadable = false
        node.run(for: .seconds(31))
        #expect(node.status.isInSync)
    }

    @Test func `to flush conntrack entries is retried although nothing changes`() {
        let dns = TestService("dns", 30, .udp)
        var node = node()
        node.kernel.failures = [.flushConntrack: 2]
        node.absorb([dns.change, dns.slice([1])])
        node.run(for: .seconds(3))
        #expect(node.attempts { $0.kind == .flushConntrack }.count == 3)
        #expect(node.status.isInSync && node.outcomes.contains { $0.failures.map(\.operation.kind) == [.flushConntrack] })
        node.run(for: .seconds(60))
        #expect(node.attempts { $0.kind == .flushConntrack }.count == 3)
    }

    @Test func `is reported as an Event on its Service once it persists`() {
        var node = node()
        node.kernel.broken = [.virtualServer(web.identity)]
        node.absorb([web.change, web.slice([1])])
        node.run(for: .seconds(20))
        let events = node.notices.compactMap(\.event)
        #expect(events.map(\.reason) == ["SyncFailed"] && events.first?.regarding.name == "web")
    }

    @Test func `of what all Services share is reported as an Event on the Node once it persists`() {
        var node = SimulatedNode()
        node.kernel.broken = [.device]
        node.absorb([.node("node1", Node(metadata: ObjectMeta(name: "node1"))), web.change, web.slice([1])])
        node.list()
        node.run(for: .seconds(20))
        let events = node.notices.compactMap(\.event)
        #expect(events.map(\.reason) == ["SyncFailed"] && events.first?.regarding == .node("node1"), "\(events)")
        #expect(events.first?.note.contains("ip link add kube-ipvs0 type dummy") == true, "\(events)")
    }

    @Test func `of several operations that all Services share is an Event on the Node for each of them`() {
        var node = SimulatedNode()
        let sets = [KubeSet.clusterIP, .externalIP].map { $0.name(.ipv4) }
        node.kernel.broken = Set(sets.map { .set($0) } + [.device])
        node.absorb([.node("node1", Node(metadata: ObjectMeta(name: "node1"))), web.change, web.slice([1])])
        node.list()
        node.run(for: .seconds(20))
        let events = node.notices.compactMap(\.event)
        #expect(events.allSatisfy { $0.reason == "SyncFailed" && $0.regarding == .node("node1") }, "\(events)")
        // Events of one object with the same reason and action become one Event.
        #expect(
            events.map(\.action).sorted() == ["CreateDevice"] + sets.map { "CreateSet\($0)" } && events.count == 3, "\(events)")
        for text in ["ip link add kube-ipvs0 type dummy"] + sets.map({ "ipset create \($0) " }) {
            #expect(events.count { $0.note.contains(text) } == 1, "\(text): \(events)")
        }
    }

    @Test func `to remove what an earlier process left is no Event on the Node`() {
        var node = SimulatedNode()
        node.kernel = SimulatedNode.listed([web.change, web.slice([1])]).kernel
        node.kernel.clearHistory()
        let members = node.kernel.state.sets[KubeSet.clusterIP.name(.ipv4)]?.members.keys.map(\.self) ?? []
        #expect(members.count == 1)
        node.kernel.broken = Set(members.map { .member(KubeSet.clusterIP.name(.ipv4), $0) })
        node.absorb([.node("node1", Node(metadata: ObjectMeta(name: "node1")))])
        node.list()
        node.run(for: .seconds(20))
        #expect(node.attempts { $0.kind == .removeMember }.count > 2)
        #expect(node.notices.compactMap(\.event).filter { $0.regarding == .node("node1") }.isEmpty)
    }

    @Test func `of everything at once does not fill the log`() {
        let services = (0..<500).map { TestService("s\($0)", UInt32($0) + 1000) }
        var node = SimulatedNode()
        node.kernel.broken = Set(services.map { .virtualServer($0.identity) })
        node.absorb(services.map(\.change))
        node.list()
        node.settle()
        #expect(node.log.count { $0.contains("Operation failed") } <= 2 * 20)
        #expect(node.log.contains { $0.hasPrefix("Further operations failed") })
    }
}
