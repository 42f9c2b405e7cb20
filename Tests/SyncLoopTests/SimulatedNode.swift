import FoundationEssentials
import Kubernetes
import Model
import Reconciler
import SyncLoop
import TestSupport
import Translation

/// A sync loop on an in-memory kernel with simulated time.
struct SimulatedNode {
    var loop: SyncLoop
    var kernel = FakeKernel()
    var now = Timestamp(nanoseconds: 1_000_000_000_000)
    var localAddresses: Set<IPAddress> = [IPAddress(v4: 0x0a63_0002)]
    /// Those of `localAddresses` that are tentative.
    var tentativeAddresses: Set<IPAddress> = []
    var addressesAreUnreadable = false
    private(set) var addressReads = 0

    /// The duration of a step.
    var stepDuration = Duration.milliseconds(1)
    /// The time that each operation adds to its step.
    var operationCost = Duration.zero
    /// Changes that arrive at a later time, in order.
    private var scheduled: [(time: Timestamp, changes: [ClusterChange])] = []
    var rulesDuration = Duration.milliseconds(30)
    /// The durations of rule changes by family, where they differ from `rulesDuration`.
    var rulesDurations: [IPFamily: Duration] = [:]
    var auditDuration = Duration.milliseconds(10)
    /// The CPU time of reading and comparing a slice, also if that fails.
    var auditCost: @Sendable (Audit.Slice) -> Duration = { _ in .zero }
    /// The CPU time of the programs that read the rules of a family.
    var rulesCost = Duration.zero
    /// The audited slices and the times when their audit ended.
    var audits: [(time: Timestamp, slice: Audit.Slice)] = []
    /// The slices that audits fail to read.
    var unreadableSlices: [Audit.Slice] = []
    var failsAudits = false
    /// The families whose rule changes take this long and then fail.
    var hangingRules: [IPFamily: Duration] = [:]
    /// The duration of a read or a removal of rules in the other backend of iptables.
    var otherBackendsDuration = Duration.milliseconds(30)
    var otherBackendsAreUnreadable = false
    private(set) var otherBackendReads = 0

    /// The schedulers of the kernel.
    var kernelSchedulers = Set(Scheduler.ofLinux)
    var failsSchedulerTests = false
    /// The schedulers of each test.
    private(set) var schedulerTests: [[Scheduler]] = []

    var outcomes: [SyncOutcome] = []
    var status: ProxyStatus
    var notices: [Announcer.Notice] = []
    /// The running tasks and their end times.
    private var running: [(end: Timestamp, task: SyncLoop.Task)] = []
    /// The maximum number of rule tasks of one family that ran at the same time.
    var maxConcurrentRuleTasks = 0
    /// The attempted operations and their times.
    var attemptTimes: [(time: Timestamp, operation: Operation)] = []

    static let start = Date(timeIntervalSince1970: 1_767_225_600)

    init(
        minSyncPeriod: Duration = .milliseconds(100), syncPeriod: Duration = .seconds(30), drainTimeout: Duration = .seconds(900),
        nodeWait: NodeWait? = nil, schedulers: [Scheduler]? = nil, untestedSchedulers: [Scheduler] = [],
        serviceAddresses: ServiceAddresses = .auto(), isStandby: Bool = false, turn: Duration = .milliseconds(50), smallestBatch: Int = 64
    ) {
        var settings = TranslationSettings(nodeName: "node1", serviceAddresses: serviceAddresses)
        if let schedulers { settings.schedulers = schedulers }
        var loopSettings = SyncLoop.Settings(
            minSyncPeriod: minSyncPeriod, syncPeriod: syncPeriod, drainTimeout: drainTimeout, nodeWait: nodeWait,
            untestedSchedulers: untestedSchedulers)
        (loopSettings.turn, loopSettings.smallestBatch) = (turn, smallestBatch)
        loop = SyncLoop(loopSettings, translation: Translation(settings), start: SimulatedNode.start, isStandby: isStandby)
        status = loop.status
    }

    /// Returns a node whose source is completely listed.
    static func listed(_ changes: [ClusterChange] = [], minSyncPeriod: Duration = .milliseconds(100), syncPeriod: Duration = .seconds(30))
        -> SimulatedNode
    {
        var node = SimulatedNode(minSyncPeriod: minSyncPeriod, syncPeriod: syncPeriod)
        node.absorb(changes)
        node.list()
        node.settle()
        return node
    }

    var wall: Date { SimulatedNode.start + Double(now.nanoseconds - 1_000_000_000_000) / 1e9 }

    mutating func absorb(_ changes: [ClusterChange]) { loop.absorb(changes, at: now) }
    /// Lets changes arrive at a later time, even during another step's duration.
    mutating func schedule(_ changes: [ClusterChange], at time: Timestamp) {
        scheduled.append((time, changes))
        scheduled.sort { $0.time < $1.time }
    }

    private mutating func absorbScheduled() {
        while let next = scheduled.first, next.time <= now {
            scheduled.removeFirst()
            absorb(next.changes)
        }
    }

    mutating func list(isIncomplete: Bool = false) { loop.sourceChanged(isListed: true, isIncomplete: isIncomplete, at: now) }

    /// Advances the time and performs everything due in it.
    mutating func run(for duration: Duration) { run(until: now.advanced(by: duration)) }

    /// Runs for one second, which completes all immediate work.
    mutating func settle() { run(for: .seconds(1)) }

    mutating func run(until end: Timestamp) {
        while now <= end {
            finishTasks()
            absorbScheduled()
            let step = loop.next(at: now, wall: wall)
            notices += loop.popNotices()
            if case .wait(let due) = step {
                let next =
                    ([due, running.map(\.end).min(), scheduled.first?.time].compactMap(\.self)).min() ?? end.advanced(by: .nanoseconds(1))
                guard next <= end else { break }
                now = max(next, now.advanced(by: .nanoseconds(1)))
            } else {
                perform(step)
            }
        }
        now = max(now, end)
        finishTasks()
    }

    /// Performs the next step and returns it.
    mutating func step() -> SyncLoop.Step {
        let step = loop.next(at: now, wall: wall)
        notices += loop.popNotices()
        perform(step)
        return step
    }

    mutating func perform(_ step: SyncLoop.Step) {
        switch step {
        case .readAddresses:
            addressReads += 1
            pass()
            loop.readAddresses(
                addressesAreUnreadable
                    ? .failure(FakeKernel.Unreadable()) : .success(NodeAddresses(localAddresses, tentative: tentativeAddresses)), at: now)
        case .testSchedulers(let schedulers):
            schedulerTests.append(schedulers)
            pass()
            loop.testedSchedulers(
                schedulers, failsSchedulerTests ? .failure(FakeKernel.Unreadable()) : .success(kernelSchedulers.intersection(schedulers)))
        case .observe(let scope):
            let result = Result { try kernel.observe(scope) }
            pass()
            loop.observed(result, of: scope, at: now)
        case .apply(let operations):
            attemptTimes += operations.map { (now, $0) }
            let report = kernel.apply(operations)
            pass()
            now = now.advanced(by: operationCost * operations.count)
            loop.applied(operations, report, at: now)
        case .start(let task): start(task)
        case .publish(let outcome, let after):
            let loop = loop
            notices += Announcer.notices(outcome, from: status, to: after, origin: { loop.origin(of: $0) }, isVerbose: false)
            outcomes.append(outcome)
            status = after
        case .beginServing, .fail, .wait: break
        }
    }

    private mutating func pass() { now = now.advanced(by: stepDuration) }

    private mutating func start(_ task: SyncLoop.Task) {
        let duration: Duration
        switch task {
        case .observeRules: duration = rulesDuration
        case .observeOtherBackends: duration = otherBackendsDuration
        case .applyRules(let operation):
            let family = operation.scope.rules.first ?? .ipv4
            let isOther = operation.kind == .removeRules
            duration = isOther ? otherBackendsDuration : hangingRules[family] ?? rulesDurations[family] ?? rulesDuration
        case .audit: duration = auditDuration
        }
        running.append((now.advanced(by: duration), task))
        for family in IPFamily.allCases {
            maxConcurrentRuleTasks = max(
                maxConcurrentRuleTasks,
                running.count { running in
                    switch running.task {
                    case .observeRules(let of): of == family
                    case .applyRules(let operation): operation.kind != .removeRules && operation.scope.rules == [family]
                    case .observeOtherBackends, .audit: false
                    }
                })
        }
    }

    private mutating func finishTasks() {
        let ended = running.filter { $0.end <= now }.sorted { $0.end < $1.end }
        running.removeAll { $0.end <= now }
        for task in ended.map(\.task) {
            switch task {
            case .observeRules(let family):
                var rules = Result { try kernel.observeRules(family) }
                if case .success(var read) = rules {
                    read.cost = rulesCost
                    rules = .success(read)
                }
                loop.rulesObserved(rules, family, at: now)
            case .observeOtherBackends(let family):
                otherBackendReads += 1
                loop.otherBackendsObserved(
                    Result {
                        if otherBackendsAreUnreadable { throw FakeKernel.Unreadable() }
                        return try kernel.observeOtherBackends(family)
                    }, family, at: now)
            case .applyRules(let operation):
                attemptTimes.append((now, operation))
                let hangs = operation.kind != .removeRules && hangingRules.keys.contains { operation.scope.rules == [$0] }
                let error = hangs ? "timed out" : kernel.apply(operation)
                loop.rulesApplied(operation, error.map { .failure(Refused(reason: $0)) } ?? .success([:]), at: now)
            case .audit(let slice, let expected):
                audits.append((now, slice))
                let findings = Result {
                    if failsAudits || unreadableSlices.contains(slice) { throw FakeKernel.Unreadable() }
                    var findings = try kernel.compare(with: expected, in: slice.selection)
                    if slice == .device { findings.nodeAddresses = localAddresses }
                    return findings
                }
                loop.audited(slice, Comparison(findings, cost: auditCost(slice)), at: now)
            }
        }
    }

    struct Refused: Error, CustomStringConvertible {
        var reason: String
        var description: String { reason }
    }

    /// The log messages, each with its operation or Service.
    var log: [String] { notices.map { "\($0.message) \($0.metadata["operation"] ?? $0.metadata["service"] ?? "")" } }

    func attempts(_ isIncluded: (Operation) -> Bool) -> [Timestamp] { attemptTimes.filter { isIncluded($0.operation) }.map(\.time) }
}

// MARK: A small cluster

/// A Service with its own cluster IP and one slice.
struct TestService {
    var name: String
    var clusterIP: IPAddress
    var transport = Transport.tcp
    var annotations: [String: String] = [:]

    init(_ name: String, _ number: UInt32, _ transport: Transport = .tcp, annotations: [String: String] = [:]) {
        self.name = name
        clusterIP = IPAddress(v4: 0x0a60_0000 + number)
        self.transport = transport
        self.annotations = annotations
    }

    var namespacedName: NamespacedName { NamespacedName(namespace: "default", name: name) }
    var identity: VirtualServer.Identity { .init(transport, AddressPort(clusterIP, 80)) }

    var change: ClusterChange {
        .service(
            namespacedName,
            Service(
                metadata: ObjectMeta(name: name, namespace: "default", annotations: annotations), clusterIP: "\(clusterIP)",
                clusterIPs: ["\(clusterIP)"], ports: [ServicePort(name: "p", transport: transport, port: 80)]))
    }

    var removal: ClusterChange { .service(namespacedName, nil) }

    func endpoint(_ number: UInt32) -> AddressPort { AddressPort(IPAddress(v4: 0x0af4_0000 + number), 8080) }

    func slice(_ numbers: [UInt32], cause: Date? = nil) -> ClusterChange {
        let annotations = cause.map {
            ["endpoints.kubernetes.io/last-change-trigger-time": $0.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))]
        }
        return .endpointSlice(
            NamespacedName(namespace: "default", name: "\(name)-1"),
            EndpointSlice(
                metadata: ObjectMeta(
                    name: "\(name)-1", namespace: "default", labels: [EndpointSlice.serviceNameLabel: name], annotations: annotations ?? [:]
                ),
                addressType: .ipv4, endpoints: numbers.map { Endpoint(addresses: [endpoint($0).address]) },
                ports: [EndpointPort(name: "p", port: 8080, transport: transport)]))
    }
}
