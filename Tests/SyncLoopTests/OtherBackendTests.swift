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
        .legacy, .ipv4, chains: [Rules.Chain(.nat, "KUBE-SERVICES"), Rules.Chain(.nat, "KUBE-MARK-MASQ")],
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
        #expect(node.notices.contains { $0.metadata["part"] == "IPv4 rules in the iptables backend that is not in use" })
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
