import Kubernetes
import MetricsRegistry
import Model
import Reconciler
import SyncLoop
@testable import StatusServer
import Testing
import Text

private let both: Set<IPFamily> = [.ipv4, .ipv6]

private func at(_ seconds: Int64) -> Moment { Moment(wall: WallTime(seconds: 1_000_000 + seconds), uptime: .seconds(Double(seconds))) }

/// Changes may stay pending for ten seconds, as in kube-proxy's own tests.
private func health() -> Health { Health(limit: .seconds(10)) }

private func healthz(_ health: Health, eligible: Bool = true, _ now: Moment) -> Int {
    HealthRoutes.healthz(health, nodeEligible: eligible, at: now).status
}

private func livez(_ health: Health, _ now: Moment) -> Int { HealthRoutes.livez(health, at: now).status }

@Suite struct `The health of the proxy` {
    @Test func `of a standby is 200 once it could take over, and depends on its own syncs afterwards`() {
        let board = StatusBoard(families: both, syncPeriod: .seconds(5), expectsNode: false) { at(0) }
        board.wait(asStandbyFor: "pid 7: kube-ipvs-proxy run")
        #expect(healthz(board.health, at(0)) == 503 && livez(board.health, at(0)) == 200)
        #expect(HealthRoutes.healthz(board.health, nodeEligible: true, at: at(0)).body.contains(#""waitingFor":"standby: pid 7: "#))
        board.becameReadyStandby()
        let response = HealthRoutes.healthz(board.health, nodeEligible: true, at: at(100))
        #expect(response.status == 200 && response.body.contains(#""standbyFor":"pid 7: kube-ipvs-proxy run""#), "\(response.body)")
        #expect(livez(board.health, at(100)) == 200)
        #expect(MetricText.exposition(board.metrics.all).contains("\nkube_ipvs_proxy_standby 1\n"))
        board.tookOver()
        #expect(healthz(board.health, at(100)) == 503, "its first sync is not done")
        #expect(MetricText.exposition(board.metrics.all).contains("\nkube_ipvs_proxy_standby 0\n"))
    }

    @Test func `J3 is 503 at healthz and 200 at livez before the first sync`() {
        let response = HealthRoutes.healthz(health(), nodeEligible: true, at: at(0))
        #expect(response.status == 503)
        #expect(
            response.body == """
                {"lastUpdated":"0001-01-01T00:00:00Z","currentTime":"1970-01-12T13:46:40Z","nodeEligible":true,"healthy":false}
                """)
        #expect(livez(health(), at(0)) == 200)
        var half = health()
        half.update([.ipv4], at: at(1))
        half.queue([.ipv6], at: at(1))
        #expect(healthz(half, at(1)) == 503)
    }

    @Test func `J3 stays good while there is nothing to do`() {
        var health = health()
        health.update(both, at: at(1))
        #expect(healthz(health, at(1)) == 200 && healthz(health, at(26)) == 200)
    }

    @Test func `J3 J5 turns bad if a family stays unprogrammed too long, and good once that family is programmed`() {
        var health = health()
        health.update(both, at: at(0))
        health.queue([.ipv4], at: at(1))
        health.queue([.ipv4], at: at(9))
        #expect(healthz(health, at(10)) == 200)
        #expect(healthz(health, at(11)) == 503 && livez(health, at(11)) == 503, "the oldest change counts")
        #expect(
            HealthRoutes.livez(health, at: at(26)).body == """
                {"lastUpdated":"1970-01-12T13:46:40Z","currentTime":"1970-01-12T13:47:06Z","healthy":false,"status":\
                {"IPv4":{"lastUpdated":"1970-01-12T13:46:40Z","healthy":false},"IPv6":{"lastUpdated":"1970-01-12T13:46:40Z","healthy":true}}}
                """)
        health.update([.ipv6], at: at(27))
        #expect(healthz(health, at(27)) == 503, "the other family does not restore it")
        health.update([.ipv4], at: at(28))
        #expect(healthz(health, at(28)) == 200)
        health.queue(both, at: at(30))
        health.update([.ipv4], at: at(50))
        #expect(healthz(health, at(50)) == 503)
        health.update([.ipv6], at: at(51))
        #expect(healthz(health, at(51)) == 200)
    }

    @Test func `J4 J5 is bad but live on a node that is being removed`() {
        var health = health()
        health.update(both, at: at(0))
        #expect(healthz(health, eligible: false, at(0)) == 503 && livez(health, at(0)) == 200)
        #expect(HealthRoutes.healthz(health, nodeEligible: false, at: at(0)).body.contains(#""nodeEligible":false,"healthy":true"#))
        #expect(!HealthRoutes.livez(health, at: at(0)).body.contains("nodeEligible"))
    }

    @Test func `J4 depends on the autoscaler's taint and on deletion, and on no other taint`() {
        var node = Node(metadata: ObjectMeta(name: "node1"))
        #expect(node.isEligible)
        node.taints = [Taint(key: "node.kubernetes.io/unschedulable", effect: "NoSchedule")]
        #expect(node.isEligible)
        node.taints.append(Taint(key: "ToBeDeletedByClusterAutoscaler", effect: "NoSchedule"))
        #expect(!node.isEligible)
        node.taints = []
        node.metadata.deletionTimestamp = Time("2026-11-23T02:03:20Z")
        #expect(!node.isEligible)
    }

    /// The health at the times of the recorded answers.
    private func recorded(updated: [IPFamily: Int32], _ seconds: Int64) -> Health {
        var health = Health(limit: .seconds(60))
        for (family, nanoseconds) in updated {
            health.update([family], at: Moment(wall: WallTime(seconds: seconds, nanoseconds: nanoseconds), uptime: .seconds(0)))
        }
        return health
    }

    @Test func `J3 J4 is reported in kube-proxy's format`() throws {
        let good = recorded(updated: [.ipv4: 167_775_433, .ipv6: 46_214_089], 1_795_399_389)
        let now = Moment(wall: WallTime(seconds: 1_795_399_400, nanoseconds: 906_555_337), uptime: .seconds(11))
        var golden = try RecordedAnswer("healthz")
        // kube-proxy reads the clock twice.
        golden.body = golden.body.replacing("2026-11-23T02:03:20.907207625Z", with: now.wall.rfc3339)
        #expect(HealthRoutes.healthz(good, nodeEligible: true, at: now).isSame(as: golden))

        var tainted = Health(limit: .seconds(60))
        let (old, new) = (
            WallTime(seconds: 1_795_399_408, nanoseconds: 507_313_097), WallTime(seconds: 1_795_399_422, nanoseconds: 259_935_433)
        )
        tainted.update([.ipv4], at: Moment(wall: old, uptime: .seconds(0)))
        tainted.update([.ipv6], at: Moment(wall: new, uptime: .seconds(14)))
        let later = Moment(wall: WallTime(seconds: 1_795_399_435, nanoseconds: 600_114_121), uptime: .seconds(27))
        #expect(HealthRoutes.healthz(tainted, nodeEligible: false, at: later).isSame(as: try RecordedAnswer("healthz-tainted")))
    }

    @Test func `J5 is reported at livez in kube-proxy's format`() throws {
        let good = recorded(updated: [.ipv4: 167_775_433, .ipv6: 46_214_089], 1_795_399_389)
        let now = Moment(wall: WallTime(seconds: 1_795_399_401, nanoseconds: 360_313_545), uptime: .seconds(12))
        var golden = try RecordedAnswer("livez")
        golden.body = golden.body.replacing("2026-11-23T02:03:21.360386505Z", with: now.wall.rfc3339)
        #expect(HealthRoutes.livez(good, at: now).isSame(as: golden))
        #expect(StatusResponse.notFound.isSame(as: try RecordedAnswer("healthz-unknown")))
    }
}

@Suite struct `The health of a starting proxy` {
    private func status(_ start: StartupHealth, _ path: String, _ now: Moment = at(1)) -> (status: Int, body: String) {
        let response = HealthRoutes(start).answer(StatusRequest(path: path), at: now)
        return (response.status, response.body)
    }

    @Test func `is bad but live while a probe waits, and names the reason`() {
        let start = StartupHealth(expectsNode: false)
        #expect(status(start, "/healthz").status == 503 && !status(start, "/healthz").body.contains("waitingFor"))
        start.wait(for: #"iptables: another program holds the xtables lock, "restore" (attempt 2)"#)
        let healthz = status(start, "/healthz")
        #expect(healthz.status == 503)
        #expect(
            healthz.body == """
                {"lastUpdated":"0001-01-01T00:00:00Z","currentTime":"1970-01-12T13:46:41Z","nodeEligible":true,"healthy":false,\
                "waitingFor":"iptables: another program holds the xtables lock, \\"restore\\" (attempt 2)"}
                """)
        // However long it takes: a restart would have to wait as well.
        #expect(status(start, "/livez", at(100_000)).status == 200)
        start.wait(for: nil)
        #expect(status(start, "/healthz").status == 503 && !status(start, "/healthz").body.contains("waitingFor"))
    }

    @Test func `is the status board's once the proxy is assembled, and ignores later startup reports`() {
        let start = StartupHealth(expectsNode: true)
        #expect(status(start, "/healthz").body.contains(#""nodeEligible":false"#))
        let board = StatusBoard(families: both, syncPeriod: .seconds(30), expectsNode: false)
        start.start(board)
        #expect(status(start, "/healthz").status == 503, "nothing is programmed yet")
        board.synced(SyncOutcome(), ProxyStatus(families: both), desired: NodeState())
        start.wait(for: "late")
        let healthz = status(start, "/healthz")
        #expect(healthz.status == 200 && healthz.body.contains("IPv6") && !healthz.body.contains("late"))
    }

    @Test func `names the failures that all Services have, until they are over`() {
        let start = StartupHealth(expectsNode: false)
        let board = StatusBoard(families: both, syncPeriod: .seconds(30), expectsNode: false)
        start.start(board)
        var status = ProxyStatus(families: both)
        var retries = Retries(first: .seconds(1), longest: .seconds(30))
        for operation in [Operation.createDevice, .unbind(IPAddress(v4: 1))] {
            retries.record(.init(operation, reason: #"no "dummy""#), origin: nil, at: .seconds(0))
        }
        status.failing = retries.entries
        board.synced(SyncOutcome(), status, desired: NodeState())
        let (code, body) = self.status(start, "/healthz")
        #expect(code == 503 && body.hasSuffix(#","failures":["ip link add kube-ipvs0 type dummy: no \"dummy\""]}"#), "\(body)")
        board.synced(SyncOutcome(), ProxyStatus(families: both), desired: NodeState())
        #expect(self.status(start, "/healthz").status == 200 && !self.status(start, "/healthz").body.contains("failures"))
    }

    @Test func `is never good while the proxy waits for something`() {
        var health = health()
        health.update(both, at: at(0))
        health.waitingFor = "iptables"
        #expect(healthz(health, at(0)) == 503 && livez(health, at(0)) == 200)
    }
}

@Suite struct `A sync counts as programmed` {
    private func status(failing operations: [Operation] = [], pending: Int = 0) -> ProxyStatus {
        var status = ProxyStatus(families: both)
        status.serviceCount = 4
        var retries = Retries(first: .seconds(1), longest: .seconds(30))
        for operation in operations { retries.record(.init(operation, reason: "refused"), origin: nil, at: .seconds(0)) }
        status.failing = retries.entries
        status.pendingServices = Set((0..<pending).map { NamespacedName(namespace: "default", name: "web\($0)") })
        return status
    }

    @Test func `if all operations succeeded or only some Services failed`() {
        #expect(Health.programmed(status()) == both)
        #expect(Health.programmed(status(pending: 2)) == both, "one user's Services must not take the node down")
        #expect(Health.programmed(status(pending: 3)) == [])
    }

    @Test func `for no family if the kernel cannot be read or the device cannot be created`() {
        #expect(Health.programmed(unreadableKernel) == [])
        #expect(Health.programmed(status(failing: [.createDevice])) == [])
    }

    @Test func `even if the rules in the iptables backend that is not in use cannot be read`() {
        let part = ObservationFailure.Part.rulesInOtherBackends(.ipv4)
        var unreadable = status()
        unreadable.unreadable = [part: ObservationFailure(part: part, reason: "timed out", attempts: 1, isOfAudit: false)]
        #expect(Health.programmed(unreadable) == both)
    }

    @Test func `for the families whose rules and sets are in place`() {
        #expect(Health.programmed(status(failing: [.restoreRules(Rules(.ipv6), missingJumps: [])])) == [.ipv4])
        let set = AddressSet(AddressSet.Name("KUBE-CLUSTER-IP"), kind: .hashIPPort, family: .ipv4)
        #expect(Health.programmed(status(failing: [.createSet(set)])) == [.ipv6])
        var waiting = status()
        waiting.familiesWithoutRules = [.ipv4]
        #expect(Health.programmed(waiting) == [.ipv6])
    }
}

/// The status after the kernel could not be read.
private var unreadableKernel: ProxyStatus {
    var status = ProxyStatus(families: both)
    status.unreadable = [.everything: ObservationFailure(part: .everything, reason: "permission denied", attempts: 1, isOfAudit: false)]
    return status
}

@Suite struct `The status board` {
    @Test func `J4 applies a taint as soon as it is seen, and expects no Node object from manifests`() {
        let board = StatusBoard(families: both, syncPeriod: .seconds(30), expectsNode: true)
        #expect(!board.isNodeEligible, "the Node object is not known yet")
        board.changed([], node: Node(metadata: ObjectMeta(name: "node1")), pending: PendingChanges())
        #expect(board.isNodeEligible)
        board.changed(
            [],
            node: Node(metadata: ObjectMeta(name: "node1"), taints: [Taint(key: "ToBeDeletedByClusterAutoscaler", effect: "NoSchedule")]),
            pending: PendingChanges())
        #expect(!board.isNodeEligible)
        #expect(StatusBoard(families: both, syncPeriod: .seconds(30), expectsNode: false).isNodeEligible)
    }

    @Test func `turns bad if a change is not programmed within twice the sync period`() {
        let clock = TestClock()
        let board = StatusBoard(families: both, syncPeriod: .seconds(5), expectsNode: false) { clock.now }
        board.synced(SyncOutcome(), ProxyStatus(families: both), desired: NodeState())
        board.queued()
        clock.advance(9)
        board.synced(SyncOutcome(), unreadableKernel, desired: NodeState())
        #expect(board.health.isHealthy(at: clock.now))
        clock.advance(1)
        #expect(!board.health.isHealthy(at: clock.now))
        board.synced(SyncOutcome(), ProxyStatus(families: both), desired: NodeState())
        #expect(board.health.isHealthy(at: clock.now))
    }
}
