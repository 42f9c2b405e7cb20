import Model
import Reconciler
import SyncLoop
import TestSupport
import Testing
import Translation

/// The node's rules were in the other backend of iptables.
@Suite struct `Rules in the other backend of iptables` {
    private let web = TestService("web", 10)
    private let rules = BackendRules(
        .iptables(.legacy), .ipv4, chains: [Rules.Chain(.nat, "KUBE-SERVICES"), Rules.Chain(.nat, "KUBE-MARK-MASQ")],
        jumps: [Leftovers.Jump(.nat, from: "OUTPUT", "-j KUBE-SERVICES")])

    private func node(syncPeriod: Duration = .seconds(30)) -> SimulatedNode {
        var node = SimulatedNode(syncPeriod: syncPeriod)
        node.kernel.rulesInOtherBackends = [.ipv4: rules]
        node.absorb([web.change, web.slice([1])])
        node.list()
        return node
    }

    private func isInSync(_ node: SimulatedNode) -> Bool {
        node.status.isInSync && node.kernel.differences(from: node.loop.desired).isEmpty && node.kernel.violations.isEmpty
    }

    @Test func `are removed at startup, after the rules in use are restored, and logged once`() {
        var node = node()
        node.run(for: .seconds(5))
        #expect(isInSync(node) && node.kernel.rulesInOtherBackends.isEmpty)
        let kinds = node.attemptTimes.map(\.operation).filter { $0.layer == .rules && $0.scope.rules == [.ipv4] }.map(\.kind)
        #expect(kinds == [.restoreRules, .removeRules])
        let logged = node.notices.filter { $0.message == "Moved rules to another iptables backend" }
        #expect(
            logged.map(\.metadata) == [
                ["family": "IPv4", "from": "legacy", "to": "nft", "removedJumps": "1", "removedChains": "2"]
            ])
    }

    @Test func `are kept while the rules in use cannot be restored`() {
        var node = node()
        node.kernel.failures = [.restoreRules: 1000]
        node.run(for: .seconds(60))
        #expect(node.kernel.rulesInOtherBackends == [.ipv4: rules])
        #expect(node.otherBackendReads == 0)
        node.kernel.failures = [:]
        node.run(for: .seconds(60))
        #expect(isInSync(node) && node.kernel.rulesInOtherBackends.isEmpty)
    }

    /// Old rules in the other backend, and those of other proxy modes in the backend in use.
    private func nodeWithLeftovers(_ services: TestService...) -> SimulatedNode {
        var node = node()
        node.kernel.leftovers = [.ipv4: Leftovers(.ipv4, chains: [Rules.Chain(.nat, "KUBE-SVC-A")], hasTable: true)]
        for service in services { node.absorb([service.change, service.slice([1])]) }
        return node
    }

    private func hasAllOldRules(_ node: SimulatedNode) -> Bool {
        node.kernel.rulesInOtherBackends == [.ipv4: rules] && node.kernel.leftovers[.ipv4]?.hasRules == true
            && node.kernel.leftovers[.ipv4]?.hasTable == true
    }

    private func hasNoOldRules(_ node: SimulatedNode) -> Bool {
        node.kernel.rulesInOtherBackends.isEmpty && node.kernel.leftovers.isEmpty
    }

    @Test func `are kept while the device cannot be created, because no address is bound`() {
        var node = nodeWithLeftovers()
        node.kernel.broken = [.device]
        node.run(for: .seconds(120))
        #expect(hasAllOldRules(node))
        node.kernel.broken = []
        node.run(for: .seconds(60))
        #expect(isInSync(node) && hasNoOldRules(node))
    }

    @Test(arguments: [OperationKind.createSet, .addVirtualServer, .bind])
    func `are kept while no Service is served`(failing: OperationKind) {
        var node = nodeWithLeftovers(TestService("api", 20))
        node.kernel.failures = [failing: 100_000]
        node.run(for: .seconds(120))
        #expect(hasAllOldRules(node))
        node.kernel.failures = [:]
        node.run(for: .seconds(60))
        #expect(isInSync(node) && hasNoOldRules(node))
    }

    @Test(arguments: [OperationKind.addVirtualServer, .addRealServer, .bind])
    func `are kept until an operation that failed once has been retried`(failing: OperationKind) throws {
        var node = nodeWithLeftovers(TestService("api", 20))
        node.kernel.failures = [failing: 1]
        node.run(for: .seconds(60))
        #expect(isInSync(node) && hasNoOldRules(node))
        let kinds: Set<OperationKind> = [.removeRules, .removeLeftoverRules, .deleteLeftoverTable]
        let removal = try #require(node.attempts { kinds.contains($0.kind) }.first)
        #expect(try #require(node.attempts { $0.kind == failing }.last) < removal)
        #expect(try #require(node.attempts { $0.kind == .bind }.last) < removal)
    }

    @Test(arguments: [
        Operation.Subject.virtualServer(TestService("api", 20).identity), .address(TestService("api", 20).clusterIP),
        .realServer(TestService("api", 20).identity, TestService("api", 20).endpoint(1)),
    ])
    func `are removed although one Service of several keeps failing`(broken: Operation.Subject) {
        var node = nodeWithLeftovers(TestService("api", 20))
        node.kernel.broken = [broken]
        node.run(for: .seconds(10))
        #expect(hasNoOldRules(node) && !node.status.isInSync)
        #expect(node.kernel.state.addresses.keys.contains(web.clusterIP) && node.kernel.violations.isEmpty)
    }

    @Test func `are kept while the kernel state cannot be read`() {
        var node = nodeWithLeftovers()
        let end = node.now.advanced(by: .seconds(10))
        node.kernel.failures = [.bind: 1]
        while node.attempts({ $0.kind == .bind }).isEmpty, node.now < end { node.run(for: .milliseconds(1)) }
        node.kernel.isUnreadable = true
        node.run(for: .seconds(60))
        #expect(hasAllOldRules(node))
        node.kernel.isUnreadable = false
        node.run(for: .seconds(60))
        #expect(isInSync(node) && hasNoOldRules(node))
    }

    @Test func `are kept if an audit finds the rules in use missing when the removal is planned`() {
        var node = node(syncPeriod: .seconds(1))
        node.kernel.failures = [.removeRules: 100]
        node.run(for: .milliseconds(300))
        // The next audit does not end by itself.
        node.rulesDuration = .seconds(100)
        node.run(for: .seconds(5))
        node.now = node.now.advanced(by: .milliseconds(1500))
        node.absorb([web.slice([2])])
        var started: [OperationKind] = []
        steps: while true {
            switch node.step() {
            case .apply: node.loop.rulesObserved(.success(ObservedRules(Rules(.ipv4))), .ipv4, at: node.now)
            case .start(.applyRules(let operation)): started.append(operation.kind)
            case .wait: break steps
            default: break
            }
        }
        #expect(started == [.restoreRules])
    }

    @Test func `are no external change, even if the rules in use are changed while they are removed`() {
        var node = node(syncPeriod: .seconds(2))
        node.otherBackendsDuration = .seconds(10)
        node.run(for: .seconds(11))
        node.kernel.removeRules(.ipv4)
        node.rulesDurations = [.ipv4: .seconds(20)]
        node.run(for: .seconds(120))
        #expect(node.status.isInSync && hasNoOldRules(node))
        #expect(node.outcomes.flatMap(\.repairs).map(\.kind) == [.restoreRules])
    }

    @Test func `are read once, however long the program runs`() {
        var node = node(syncPeriod: .seconds(2))
        node.run(for: .seconds(5))
        #expect(node.otherBackendReads == 2, "once for each family")
        node.kernel.rulesInOtherBackends = [.ipv4: rules]
        node.kernel.removeRules(.ipv4)
        node.run(for: .seconds(60))
        #expect(isInSync(node) && node.otherBackendReads == 2)
        #expect(node.kernel.rulesInOtherBackends == [.ipv4: rules], "another running proxy would restore them")
    }

    @Test func `delay nothing if they cannot be read, which is reported and retried`() {
        var node = node()
        node.otherBackendsAreUnreadable = true
        node.run(for: .seconds(20))
        #expect(node.kernel.differences(from: node.loop.desired).isEmpty && !node.status.isInSync)
        #expect(node.status.familiesWithoutRules.isEmpty && node.status.pendingServices.isEmpty)
        #expect(node.status.unreadable.keys.contains(.rulesInOtherBackends(.ipv4)))
        #expect(node.otherBackendReads > 4)
        #expect(node.notices.contains { $0.metadata["part"] == "IPv4 rules in packet filters that are not in use" })
        node.otherBackendsAreUnreadable = false
        node.run(for: .seconds(60))
        #expect(isInSync(node) && node.kernel.rulesInOtherBackends.isEmpty)
    }

    @Test func `are read again and removed after a removal failed`() {
        var node = node()
        node.kernel.failures = [.removeRules: 3]
        node.run(for: .seconds(60))
        #expect(isInSync(node) && node.kernel.rulesInOtherBackends.isEmpty)
        #expect(node.attempts { $0.kind == .removeRules }.count == 4)
        #expect(node.otherBackendReads == 5, "once for IPv6, and for IPv4 at startup and after each failure")
        #expect(node.log.contains { $0.hasPrefix("Operation failed iptables-legacy-restore --noflush") })
    }

    @Test(arguments: [Duration.milliseconds(30), .seconds(60)])
    func `delay no rules in use, even if their program hangs`(duration: Duration) {
        var node = node(syncPeriod: .seconds(2))
        node.otherBackendsDuration = duration
        node.run(for: .milliseconds(500))
        #expect(node.kernel.differences(from: node.loop.desired).isEmpty)
        node.kernel.removeRules(.ipv4)
        node.run(for: .seconds(10))
        #expect(node.kernel.differences(from: node.loop.desired).isEmpty, "an audit finds the rules missing and restores them")
        node.run(for: .seconds(300))
        #expect(isInSync(node) && node.kernel.rulesInOtherBackends.isEmpty)
    }

    @Test func `are kept while the source is incomplete`() {
        var node = SimulatedNode()
        node.kernel.rulesInOtherBackends = [.ipv4: rules]
        node.absorb([web.change, web.slice([1])])
        node.list(isIncomplete: true)
        node.run(for: .seconds(10))
        #expect(node.kernel.rulesInOtherBackends == [.ipv4: rules])
        node.list()
        node.run(for: .seconds(10))
        #expect(isInSync(node) && node.kernel.rulesInOtherBackends.isEmpty)
    }
}
