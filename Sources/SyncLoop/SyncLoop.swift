public import FoundationEssentials
public import Kubernetes
public import Model
public import Reconciler
public import Translation

/// Decides what the proxy does next, and when: a value without a clock, to be asked again after each step.
///
/// Whoever drives it carries one step out at a time and hands its result in. Steps that `start` a task are the exception: a task runs beside the others, and its
/// result comes when it comes. While rules are restored, virtual and real servers go on being programmed; only what needs those rules waits.
public struct SyncLoop: Sendable {
    public enum Step: Sendable {
        /// Read the node's addresses: `readAddresses`.
        case readAddresses
        /// Read the kernel: `observed`.
        case observe(Scope)
        /// Change the kernel, operations of one layer in order: `applied`.
        case apply([Operation])
        /// Begin something that runs beside the other steps.
        case start(Task)
        /// A sync is over: tell whoever wants to know.
        case publish(SyncOutcome, ProxyStatus)
        /// Serving begins; the Node object is nil where the time to wait for it is over.
        case beginServing(Node?, missing: String?)
        /// Serving cannot begin without this.
        case giveUp(missing: String)
        /// Nothing to do until then, unless something happens; nil for as long as nothing happens.
        case wait(until: Timestamp?)
    }

    public enum Task: Sendable {
        /// `rulesObserved`
        case observeRules(IPFamily)
        /// `rulesApplied`
        case applyRules(Operation, IPFamily)
        /// `audited`
        case audit(Audit.Slice, AuditBaseline)
    }

    public struct Settings: Sendable {
        /// Rest between the end of a sync of changes and the next (`ipvs.minSyncPeriod`).
        public var minSyncPeriod: Duration
        /// Within this, an audit goes over the whole kernel state (`ipvs.syncPeriod`); also the longest wait before a retry.
        public var syncPeriod: Duration
        /// How long a real server that is no longer wanted may keep its connections.
        public var drainTimeout: Duration
        /// Ranges whose virtual servers are never taken away (`ipvs.excludeCIDRs`).
        public var excludedCIDRs: [CIDR]
        /// Nil where no Node object is to be expected.
        public var nodeWait: NodeWait?
        /// The wait before the first retry.
        public var firstRetry: Duration = .milliseconds(500)

        public init(
            minSyncPeriod: Duration, syncPeriod: Duration, drainTimeout: Duration, excludedCIDRs: [CIDR] = [], nodeWait: NodeWait? = nil
        ) {
            self.minSyncPeriod = minSyncPeriod
            self.syncPeriod = syncPeriod
            self.drainTimeout = drainTimeout
            self.excludedCIDRs = excludedCIDRs
            self.nodeWait = nodeWait
        }
    }

    public let settings: Settings
    public internal(set) var cluster = ClusterState()
    public internal(set) var translation: Translation
    public internal(set) var reconciler: Reconciler
    public internal(set) var retries: Retries
    var audit: Audit

    // MARK: The source

    /// Whether everything was listed once: nothing is planned from half a cluster.
    private var isListed = false
    /// Whether the source may not know everything that exists.
    private(set) var suspendsRemovals = false
    private var nodeWait: NodeWait?
    private var isWaitingForNode = false
    private var isTranslated = false
    public private(set) var pendingChanges = PendingChanges()
    private var latency: ProgrammingLatency
    /// Since when changes wait.
    private var requested: Timestamp?
    /// When the last sync that took changes over ended.
    private var lastEnd: Timestamp?

    // MARK: The node's addresses

    public internal(set) var localAddresses: Set<IPAddress> = []
    private var addressesAreOld = true
    private var addressesAreKnown = false

    // MARK: The sync under way

    private var outcome: SyncOutcome?
    private var activeSince: Timestamp?
    /// Operations of the plan that are still to be applied.
    private var rest: ArraySlice<Operation> = []
    private var unmet = UnmetDependencies(failed: [])

    // MARK: What waits

    /// What waits for something that failed or for rules; planned again when that is done.
    private var deferred = Scope.Selection()
    private var deferredServices: Set<NamespacedName> = []
    private var lanes: [IPFamily: RulesLane]
    /// What cannot be read, and when it is tried again.
    private var unreadable: [ObservationFailure.Part: (failure: ObservationFailure, notBefore: Timestamp)] = [:]
    /// What an audit found to differ, and is to be observed once more.
    private var suspects = Scope.Selection()
    /// What others changed, until it is repaired.
    private var drift: Set<Operation.Subject> = []
    private var poll: Timestamp?
    private var pollBegan: Timestamp?

    private var droppedPackets: [IPFamily: [Rules.Chain: UInt64]] = [:]
    private var refusedEndpoints: [NamespacedName: Set<Refusal>] = [:]
    /// By our own judgement or the kernel's.
    private var refusedClaims: [NamespacedName: Set<Refusal>] = [:]
    private var refusalGeneration = 0
    private var notices: [Announcer.Notice] = []

    /// What of a family's rules is going on.
    private struct RulesLane {
        enum Running { case observation(isAudit: Bool), operation(Operation) }

        var running: Running?
        var isKnown = false
        /// The operation to start when what precedes it in its plan is done.
        var wanted: Operation?

        var isChanging: Bool {
            if case .operation = running { return true }
            return wanted != nil
        }
    }

    /// - Parameter start: changes whose cause is older do not count for latencies.
    public init(_ settings: Settings, translation: Translation, start: Date) {
        self.settings = settings
        self.translation = translation
        reconciler = Reconciler(drainTimeout: settings.drainTimeout, nodeName: translation.nodeName)
        retries = Retries(first: settings.firstRetry, longest: settings.syncPeriod)
        audit = Audit(period: settings.syncPeriod)
        nodeWait = settings.nodeWait
        latency = ProgrammingLatency(since: start)
        lanes = Dictionary(uniqueKeysWithValues: translation.desired.rules.keys.map { ($0, RulesLane()) })
    }

    public var nodeName: String { translation.nodeName }

    /// What the kernel is to hold.
    public var desired: NodeState { translation.desired }

    /// Those that this node serves.
    public var families: Set<IPFamily> { Set(lanes.keys) }

    /// This node's Node object, as far as it is known.
    public var node: Node? { cluster.nodes[nodeName] }

    // MARK: What happens

    /// Takes changes of the cluster over; a sync follows.
    public mutating func absorb(_ changes: [ClusterChange], at now: Timestamp) {
        guard !changes.isEmpty else { return }
        for change in changes {
            switch change {
            case .service, .otherNodes: break
            case .endpointSlice(let name, let slice): latency.note(name, from: cluster.slice(name), to: slice)
            case .node(let name, let after): if name == nodeName { notices += Announcer.notices(of: after, before: node) }
            }
            pendingChanges.note(change)
            cluster.apply(change)
        }
        requested = requested ?? now
    }

    /// What the source knows: whether everything was listed, and whether something that may exist is missing.
    public mutating func sourceChanged(isListed: Bool, isIncomplete: Bool, at now: Timestamp) {
        if isListed, !self.isListed { requested = requested ?? now }
        self.isListed = isListed
        guard isIncomplete != suspendsRemovals else { return }
        suspendsRemovals = isIncomplete
        if isIncomplete {
            notices.append(.init(.warning, "Something that may be in service cannot be read: nothing is removed until it can"))
        } else {
            reconciler.planAgain(.everything)
            begin(at: now)
        }
    }

    /// The node's addresses may have changed.
    public mutating func addressesChanged() { addressesAreOld = true }

    /// Whether something is asked for that a sync has not taken over.
    public var hasPendingChanges: Bool { requested != nil }

    /// What operators should read, and was not yet.
    public mutating func takeNotices() -> [Announcer.Notice] {
        defer { notices = [] }
        return notices
    }

    // MARK: What to do

    /// The next step.
    ///
    /// - Parameter wall: the time of day, for latencies.
    public mutating func next(at now: Timestamp, wall: Date) -> Step {
        guard isListed else { return .wait(until: nil) }
        if let step = waitForNode(at: now) { return step }
        while true {
            if addressesAreOld, isReadable(.nodeAddresses, at: now) {
                // What changes while they are read is noted again.
                addressesAreOld = false
                return .readAddresses
            }
            // Node ports and what may be bound depend on them.
            guard addressesAreKnown else { return .wait(until: unreadable[.nodeAddresses]?.notBefore) }
            // Before the cluster is translated for the first time, nothing is desired, and everything would be taken away.
            if !isTranslated { translate(at: now) }
            if let run = nextRun(at: now) { return .apply(run) }
            if let task = nextTask(at: now) { return .start(task) }
            if let scope = nextObservation(at: now) { return .observe(scope) }
            if reconciler.hasSomethingToPlan {
                makePlan(at: now)
                continue
            }
            if let outcome { return publish(outcome, at: now, wall: wall) }
            guard takeUpWhatIsDue(at: now) else { return .wait(until: nextDue(at: now)) }
        }
    }

    private mutating func waitForNode(at now: Timestamp) -> Step? {
        guard var nodeWait else { return nil }
        let verdict = nodeWait.judge(node, at: now)
        self.nodeWait = nodeWait
        switch verdict {
        case .ready:
            self.nodeWait = nil
            return .beginServing(node, missing: nil)
        case .wait(let end):
            if !isWaitingForNode { notices.append(.init(.info, "Waiting for this node's Node object", ["node": nodeName])) }
            isWaitingForNode = true
            return .wait(until: end)
        case .goOnWithout(let missing):
            self.nodeWait = nil
            return .beginServing(node, missing: missing)
        case .hopeless(let missing): return .giveUp(missing: missing)
        }
    }

    /// Something is to be done: a sync begins, unless one is under way.
    private mutating func begin(at now: Timestamp) {
        guard outcome == nil else { return }
        outcome = SyncOutcome()
        activeSince = now
    }

    /// Begins what is due; false where nothing is.
    private mutating func takeUpWhatIsDue(at now: Timestamp) -> Bool {
        var isDue = false
        if let due = changesDue, due <= now {
            translate(at: now)
            isDue = true
        }
        let failed = retries.release(at: now)
        for entry in failed {
            var scope = entry.operation.scope
            // Rules are observed in their lane; flows cannot be.
            reconciler.planAgain(.only(.init(rules: scope.rules, flows: scope.flows)))
            (scope.rules, scope.flows) = ([], [])
            // The kernel has said that it does not hold what it refused.
            if entry.isRefusal { reconciler.planAgain(.only(scope)) } else { reconciler.invalidate(.only(scope)) }
        }
        if !failed.isEmpty { isDue = true }
        if let due = poll, due <= now {
            reconciler.pollDrainsAndSlowStarts()
            suspects.realServers.formUnion(reconciler.draining)
            (poll, pollBegan) = (nil, now)
            isDue = true
        }
        if isDue { begin(at: now) }
        forgetUnreadable(at: now)
        return isDue
    }

    /// What could be read again by now and is not read is needed no more.
    private mutating func forgetUnreadable(at now: Timestamp) {
        guard !unreadable.isEmpty else { return }
        unreadable = unreadable.filter { part, entry in
            if case .rules(let family) = part, lanes[family]?.isKnown == false { return true }
            return entry.failure.isOfAudit || entry.notBefore > now || part == .nodeAddresses && addressesAreOld
        }
    }

    private var changesDue: Timestamp? {
        guard let requested else { return nil }
        return lastEnd.map { max(requested, $0.advanced(by: settings.minSyncPeriod)) } ?? requested
    }

    private mutating func nextDue(at now: Timestamp) -> Timestamp? {
        var due = [changesDue, retries.nextDue(), poll, audit.running == nil ? audit.due : nil].compactMap(\.self)
        due += unreadable.values.filter { !$0.failure.isOfAudit && $0.notBefore > now }.map(\.notBefore)
        return due.min()
    }

    private mutating func translate(at now: Timestamp) {
        begin(at: now)
        let scope = translation.update(cluster.takeDirtyServices(), of: cluster, localAddresses: localAddresses)
        reconciler.planAgain(scope)
        outcome?.tookChanges = true
        outcome?.translated.formUnion(translation.takeTranslatedServices())
        outcome?.changed.formUnion(scope)
        pendingChanges = PendingChanges()
        latency.take()
        (requested, isTranslated) = (nil, true)
    }

    // MARK: Addresses of the node

    public mutating func readAddresses(_ result: Result<Set<IPAddress>, any Error>, at now: Timestamp) {
        switch result {
        case .success(let addresses):
            if unreadable[.nodeAddresses] != nil { begin(at: now) }
            noteRead(.nodeAddresses)
            guard addresses != localAddresses || !addressesAreKnown else { return }
            if addressesAreKnown { notices.append(Announcer.notice(ofAddresses: addresses, before: localAddresses)) }
            (localAddresses, addressesAreKnown) = (addresses, true)
            requested = requested ?? now
        case .failure(let error):
            // Those known last stay in force.
            addressesAreOld = true
            begin(at: now)
            noteUnreadable(.nodeAddresses, error, at: now)
        }
    }

    // MARK: Observing

    private func isReadable(_ part: ObservationFailure.Part, at now: Timestamp) -> Bool {
        unreadable[part].map { $0.notBefore <= now } ?? true
    }

    private mutating func noteRead(_ part: ObservationFailure.Part) { unreadable[part] = nil }

    private mutating func noteUnreadable(_ part: ObservationFailure.Part, _ error: any Error, isOfAudit: Bool = false, at now: Timestamp) {
        let attempts = (unreadable[part]?.failure.attempts ?? 0) + 1
        let failure = ObservationFailure(part: part, reason: "\(error)", attempts: attempts, isOfAudit: isOfAudit)
        unreadable[part] = (failure, now.advanced(by: retries.backoff(attempts)))
        outcome?.observationFailures.append(failure)
    }

    /// The next part that has to be observed and can be: one that fails does not hold the others up.
    private func nextObservation(at now: Timestamp) -> Scope? {
        switch reconciler.scopeToObserve {
        case .everything: return isReadable(.everything, at: now) ? .everything : nil
        case .only(let unknown):
            if isReadable(.virtualServers, at: now), !unknown.virtualServers.isEmpty || !unknown.realServers.isEmpty {
                let whole = Set(unknown.virtualServers.prefix(Audit.sliceSize))
                let parts = Set(unknown.realServers.subtracting(unknown.virtualServers).prefix(Audit.sliceSize - whole.count))
                return .only(.init(virtualServers: whole, realServers: parts))
            }
            if isReadable(.device, at: now), unknown.device || !unknown.addresses.isEmpty {
                return .only(.init(device: unknown.device, addresses: unknown.addresses))
            }
            for (name, members) in unknown.members where isReadable(.set(name), at: now) { return .only(.init(members: [name: members])) }
            return nil
        }
    }

    private static func part(_ scope: Scope) -> ObservationFailure.Part {
        guard case .only(let selection) = scope else { return .everything }
        if let name = selection.members.keys.first { return .set(name) }
        return selection.device || !selection.addresses.isEmpty ? .device : .virtualServers
    }

    public mutating func observed(_ result: Result<NodeState, any Error>, of scope: Scope, at now: Timestamp) {
        let part = SyncLoop.part(scope)
        begin(at: now)
        switch result {
        case .failure(let error): noteUnreadable(part, error, at: now)
        case .success(var state):
            noteRead(part)
            // Rules are observed in lanes of their own.
            (state.rules, state.leftovers) = (reconciler.mirror.rules, reconciler.mirror.leftovers)
            if case .only(let selection) = scope { noteDrift(state, selection) }
            var evidence = state
            if case .only = scope { evidence = reconciler.mirror }
            let ownership = Ownership(observed: evidence, localAddresses: localAddresses, excluded: settings.excludedCIDRs)
            reconciler.adopt(state, of: scope, desired: translation.desired, at: now) { ownership.isOurs($0) }
            if case .everything = scope { audit.begin(at: now) }
            if case .set = part { planDeferred() }
        }
    }

    private mutating func noteDrift(_ observed: NodeState, _ selection: Scope.Selection) {
        guard !suspects.isEmpty else { return }
        var suspected = selection
        suspected.virtualServers.formIntersection(suspects.virtualServers)
        suspected.realServers.formIntersection(suspects.realServers)
        suspected.device = selection.device && suspects.device
        suspected.addresses.formIntersection(suspects.addresses)
        suspected.members = selection.members.filter { suspects.members[$0.key] != nil }
        suspects.subtract(selection)
        drift.formUnion(Drift.subjects(from: reconciler.mirror, to: observed, in: suspected))
    }

    // MARK: Planning and applying

    /// Families whose rules do not protect yet what is to be served.
    private var familiesWithoutRules: Set<IPFamily> {
        var families: Set<IPFamily> = []
        for (family, lane) in lanes {
            let isProtected =
                lane.isKnown && !(translation.desired.rules[family]?.adds(to: reconciler.mirror.rules[family] ?? Rules(family)) ?? false)
            if !isProtected { families.insert(family) }
        }
        return families
    }

    private mutating func makePlan(at now: Timestamp) {
        begin(at: now)
        let (plan, scope) = reconciler.takePlan(for: translation.desired, at: now, suspendsRemovals: suspendsRemovals)
        if retries.removeResolved(in: scope, plan.operations) { planDeferred() }
        if !drift.isEmpty { drift.formIntersection(plan.operations.map(\.subject)) }
        for family in lanes.keys where scope.hasRules(family) { lanes[family]?.wanted = nil }
        var operations: [Operation] = []
        for operation in plan.operations where !retries.withholds(operation) {
            if let family = operation.familyOfRules {
                // One at a time: what comes next is planned when it is done.
                if lanes[family]?.wanted == nil { lanes[family]?.wanted = operation }
            } else {
                operations.append(operation)
            }
        }
        // What failed and is tried again now comes before what depends on it.
        let failed = retries.entries
        let tried = failed.isEmpty ? [] : Set(operations.map(\.key).filter { failed[$0] != nil })
        unmet = UnmetDependencies(
            failed: retries.failed.filter { !tried.contains($0.key) }, rules: familiesWithoutRules,
            unknown: reconciler.scopeToObserve)
        rest = operations[...]
    }

    /// Waits for what it depends on, without being sent or logged.
    private mutating func postpone(_ operation: Operation) {
        unmet.add(operation)
        deferred.formUnion(operation.scope)
        if let service = reconciler.origin(of: operation, desired: translation.desired)?.service { deferredServices.insert(service) }
    }

    /// Something that others may have waited for is done.
    private mutating func planDeferred() {
        guard !deferred.isEmpty else { return }
        reconciler.planAgain(.only(deferred))
        (deferred, deferredServices) = (.init(), [])
    }

    /// Operations of one layer, which can be sent together. What failed before is sent alone: what follows may depend on it.
    private func nextCandidates(_ first: Operation) -> ArraySlice<Operation> {
        func standsAlone(_ operation: Operation) -> Bool { operation.standsAlone || retries.entries[operation.key] != nil }
        return standsAlone(first) ? rest.prefix(1) : rest.prefix { $0.layer == first.layer && !standsAlone($0) }
    }

    /// The next operations of one layer that wait for nothing.
    private mutating func nextRun(at now: Timestamp) -> [Operation]? {
        while let first = rest.first {
            let candidates = nextCandidates(first)
            rest = rest.dropFirst(candidates.count)
            var run: [Operation] = []
            for operation in candidates {
                if unmet.dependency(of: operation) == nil { run.append(operation) } else { postpone(operation) }
            }
            if !run.isEmpty {
                return run
            }
        }
        return nil
    }

    public mutating func applied(_ operations: [Operation], _ report: Report, at now: Timestamp) {
        begin(at: now)
        audit.touch(operations)
        var failures = Dictionary(report.failures.map { ($0.operation, $0) }, uniquingKeysWith: { first, _ in first })
        var failed = UnmetDependencies(failed: [])
        var done: [Operation] = []
        var isUnblocking = false
        for operation in operations {
            guard let failure = failures.removeValue(forKey: operation) else {
                done.append(operation)
                outcome?.operations.append(operation)
                isUnblocking = retries.remove(operation.key) || isUnblocking
                continue
            }
            if failed.dependency(of: operation) != nil {
                // It could not succeed.
                postpone(operation)
                continue
            }
            failed.add(operation)
            note(failure, at: now)
        }
        reconciler.finish(done, desired: translation.desired)
        outcome?.forgetting.merge(report.forgetting, uniquingKeysWith: +)
        noteRepairs(done)
        if isUnblocking { planDeferred() }
    }

    private mutating func note(_ failure: Report.Failure, at now: Timestamp) {
        outcome?.operations.append(failure.operation)
        let origin = reconciler.origin(of: failure.operation, desired: translation.desired)
        let attempts = retries.note(failure, origin: origin, at: now)
        guard !failure.isRefusal else {
            outcome?.refusals.append(failure)
            return
        }
        outcome?.failures.append(failure)
        unmet.add(failure.operation)
        // Most failures come from a mirror that is out of date: the kernel is observed at once the first time, and what it shows to be needed is done. The
        // same operation waits for its retry.
        guard attempts == 1 else { return }
        var scope = failure.operation.scope
        (scope.rules, scope.flows) = ([], [])
        reconciler.invalidate(.only(scope))
    }

    private mutating func noteRepairs(_ done: [Operation]) {
        guard !drift.isEmpty else { return }
        let repairs = done.filter { drift.contains($0.subject) && $0.kind != .forgetFlows }
        outcome?.repairs += repairs
        drift.subtract(repairs.map(\.subject))
    }

    // MARK: Beside the loop

    private mutating func nextTask(at now: Timestamp) -> Task? {
        for family in IPFamily.allCases {
            guard let lane = lanes[family], lane.running == nil else { continue }
            if !lane.isKnown {
                guard isReadable(.rules(family), at: now) else { continue }
                lanes[family]?.running = .observation(isAudit: false)
                return .observeRules(family)
            }
            guard let operation = lane.wanted else { continue }
            lanes[family]?.wanted = nil
            guard unmet.dependency(of: operation) == nil, !isNeeded(operation) else {
                postpone(operation)
                continue
            }
            lanes[family]?.running = .operation(operation)
            return .applyRules(operation, family)
        }
        guard let slice = audit.next(reconciler.mirror, at: now) else { return nil }
        guard case .rules(let family) = slice else { return .audit(slice, AuditBaseline(slice, reconciler.mirror)) }
        guard lanes[family]?.running == nil, lanes[family]?.isKnown == true else {
            // They are observed after what is going on anyway.
            _ = audit.end(.init())
            return nextTask(at: now)
        }
        lanes[family]?.running = .observation(isAudit: true)
        return .observeRules(family)
    }

    /// Whether rules are still needed that an operation takes away: what they restrict could not be removed.
    private func isNeeded(_ operation: Operation) -> Bool {
        guard case .restoreRules(let rules, let missingJumps) = operation, missingJumps.isEmpty else { return false }
        guard !rules.adds(to: reconciler.mirror.rules[rules.family] ?? Rules(rules.family)) else { return false }
        return retries.failed.contains { failed in
            switch failed {
            case .deleteVirtualServer(let identity): identity.family == rules.family
            case .unbind(let address): address.family == rules.family
            default: false
            }
        }
    }

    public mutating func rulesObserved(_ result: Result<ObservedRules, any Error>, _ family: IPFamily, at now: Timestamp) {
        guard case .observation(let isAudit)? = lanes[family]?.running else { return }
        // What was wanted was planned from what was known before.
        lanes[family]?.running = nil
        lanes[family]?.wanted = nil
        begin(at: now)
        switch result {
        case .failure(let error):
            noteUnreadable(.rules(family), error, isOfAudit: isAudit, at: now)
            if isAudit { audit.fail(at: now) }
        case .success(var observed):
            noteRead(.rules(family))
            droppedPackets[family] = observed.dropped
            lanes[family]?.isKnown = true
            if isAudit {
                _ = audit.end(.init())
                // Who brings back what other modes left while we run is at work, and fighting that would help nobody.
                observed.leftovers = reconciler.mirror.leftovers[family]
                guard observed.rules != reconciler.mirror.rules[family] else { return }
                drift.insert(.rules(family))
            }
            reconciler.adopt(observed, family)
            planDeferred()
        }
    }

    public mutating func rulesApplied(_ result: Result<[Rules.Chain: UInt64], any Error>, at now: Timestamp, _ family: IPFamily) {
        guard case .operation(let operation)? = lanes[family]?.running else { return }
        // What was wanted was planned from what was known before.
        lanes[family]?.running = nil
        lanes[family]?.wanted = nil
        begin(at: now)
        switch result {
        case .success(let dropped):
            if !dropped.isEmpty { droppedPackets[family] = dropped }
            outcome?.operations.append(operation)
            retries.remove(operation.key)
            reconciler.finish([operation], desired: translation.desired)
            noteRepairs([operation])
            reconciler.planAgain(.only(.init(rules: [family])))
            planDeferred()
        case .failure(let error):
            note(Report.Failure(operation, reason: "\(error)"), at: now)
            // It may have changed one table and not the other.
            lanes[family]?.isKnown = false
        }
    }

    public mutating func audited(_ slice: Audit.Slice, _ result: Result<Audit.Findings, any Error>, at now: Timestamp) {
        guard audit.running == slice else { return }
        switch result {
        case .failure(let error):
            begin(at: now)
            noteUnreadable(SyncLoop.part(slice.scope), error, isOfAudit: true, at: now)
            audit.fail(at: now)
        case .success(let found):
            if unreadable[SyncLoop.part(slice.scope)]?.failure.isOfAudit ?? false {
                noteRead(SyncLoop.part(slice.scope))
                begin(at: now)
            }
            if slice == .device { addressesAreOld = true }
            let findings = audit.end(found)
            var suspected = findings.suspects
            let ownership = Ownership(observed: reconciler.mirror, localAddresses: localAddresses, excluded: settings.excludedCIDRs)
            for server in findings.unexpected
            where translation.desired.virtualServers[server.identity] != nil || ownership.isOurs(server) {
                suspected.virtualServers.insert(server.identity)
            }
            guard !suspected.isEmpty else { return }
            begin(at: now)
            suspects.formUnion(suspected)
            reconciler.invalidate(.only(suspected))
        }
    }

    // MARK: Publishing

    private mutating func publish(_ finished: SyncOutcome, at now: Timestamp, wall: Date) -> Step {
        var outcome = finished
        outcome.duration = activeSince?.duration(to: now) ?? .zero
        outcome.recovered = outcome.failures.filter { retries.entries[$0.operation.key] == nil }
        outcome.failures.removeAll { retries.entries[$0.operation.key] == nil }
        noteRefusedEndpoints(&outcome)
        if !outcome.translated.isEmpty {
            refusedClaims =
                refusedEndpoints.isEmpty ? translation.refusedClaims : translation.refusedClaims.merging(refusedEndpoints) { $0.union($1) }
        }
        let status = status
        outcome.latencies = latency.settle(at: wall, except: status.pendingServices)
        if outcome.tookChanges { lastEnd = now }
        (self.outcome, activeSince) = (nil, nil)
        if let began = pollBegan {
            pollBegan = nil
            // A poll may cost a twentieth of the time.
            poll = now.advanced(by: max(.seconds(1), began.duration(to: now) * 20))
        }
        let isPolling = reconciler.drainingServerCount > 0 || reconciler.isWarming
        poll = isPolling ? poll ?? now.advanced(by: .seconds(1)) : nil
        return .publish(outcome, status)
    }

    /// Endpoints that the kernel does not accept as real servers, by the slices that name them.
    private mutating func noteRefusedEndpoints(_ outcome: inout SyncOutcome) {
        guard retries.refusalGeneration != refusalGeneration || !(refusedEndpoints.isEmpty || outcome.translated.isEmpty) else { return }
        refusalGeneration = retries.refusalGeneration
        var addresses: [NamespacedName: Set<IPAddress>] = [:]
        for case .addRealServer(let identity, let server) in retries.entries.values.filter(\.isRefusal).map(\.operation) {
            guard let service = translation.desired.virtualServers[identity]?.origin?.service else { continue }
            addresses[service, default: []].insert(server.location.address)
        }
        outcome.translated.formUnion(Set(addresses.keys).union(refusedEndpoints.keys))
        refusedEndpoints = [:]
        for (service, refused) in addresses {
            for (slice, object) in cluster.slices[service] ?? [:] {
                for address in object.endpoints.lazy.compactMap(\.addresses.first)
                where refused.contains(address) {
                    refusedEndpoints[service, default: []].insert(Refusal(.endpoint(slice: slice), address, .kernel))
                }
            }
        }
    }

    /// How things are now.
    public var status: ProxyStatus {
        var status = ProxyStatus(families: translation.settings.families)
        status.serviceCount = cluster.services.count
        status.virtualServerCount = translation.desired.virtualServers.count
        status.node = node
        status.healthChecks = translation.healthChecks
        status.healthCheckAddresses = translation.healthCheckAddresses
        status.noLocalEndpoints = translation.noLocalEndpoints
        status.refusedClaims = refusedClaims
        status.conflicts = translation.conflicts
        status.invalidAnnotations = translation.invalidAnnotations
        status.drainingServers = reconciler.drainingServerCount
        status.droppedPackets = DroppedPackets.counts(droppedPackets)
        status.failing = retries.entries
        status.unreadable = unreadable.mapValues(\.failure)
        status.familiesWithoutRules = familiesWithoutRules
        status.pendingServices = deferredServices.union(status.failures.compactMap { $0.origin?.service })
        status.pendingChanges = pendingChanges
        status.isInSync =
            addressesAreKnown && requested == nil && unreadable.isEmpty && deferred.isEmpty && reconciler.scopeToObserve.isEmpty
            && !reconciler.hasSomethingToPlan && status.familiesWithoutRules.isEmpty && lanes.values.allSatisfy { !$0.isChanging }
            && !status.failing.values.contains { !$0.isRefusal }
        return status
    }

    /// Whether nothing runs beside the steps that would change the kernel.
    public var isIdle: Bool { lanes.values.allSatisfy { $0.running == nil } }
}

extension Scope {
    fileprivate func hasRules(_ family: IPFamily) -> Bool {
        guard case .only(let selection) = self else { return true }
        return selection.rules.contains(family)
    }
}

extension Operation {
    fileprivate var familyOfRules: IPFamily? { layer == .rules ? scope.rules.first : nil }

    /// Not part of a batch: what follows needs its result, or it is several requests.
    fileprivate var standsAlone: Bool {
        switch self {
        case .replaceSet, .createDevice, .deleteDevice: true
        default: false
        }
    }
}
