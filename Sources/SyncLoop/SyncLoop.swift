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
        case fail(missing: String)
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
    var isListed = false
    /// Whether the source may not know everything that exists.
    var isIncomplete = false
    /// The same as far as translated: what is not desired may only be unknown.
    var suspendsRemovals = false
    var nodeWait: NodeWait?
    var isWaitingForNode = false
    var isTranslated = false
    public private(set) var pendingChanges = PendingChanges()
    var latency: ProgrammingLatency
    var minSyncPeriod: MinSyncPeriod

    // MARK: The node's addresses

    public internal(set) var localAddresses: Set<IPAddress> = []
    var addressesAreOld = true
    var addressesAreKnown = false

    // MARK: The sync under way

    var outcome: SyncOutcome?
    var activeSince: Timestamp?
    /// Operations of the plan that are still to be applied.
    var rest: ArraySlice<Operation> = []
    var unmet = UnmetDependencies(failed: [])

    // MARK: What waits

    /// What waits for something that failed or for rules; planned again when that is done.
    var deferred = Scope.Selection()
    var deferredServices: Set<NamespacedName> = []
    /// Whether something was done that others may have waited for. They are planned again when the plan under way has been sent: until then it adds to them.
    var isUnblocked = false
    var ruleQueues: [IPFamily: RulesQueue]
    /// What cannot be read, and when it is tried again.
    var unreadable: [ObservationFailure.Part: (failure: ObservationFailure, notBefore: Timestamp)] = [:]
    /// What audits cannot read: what is known of it stays in force.
    var auditFailures: [ObservationFailure.Part: ObservationFailure] = [:]
    /// What an audit found to differ, and is to be observed once more.
    var suspects = Scope.Selection()
    /// What others changed, until it is repaired.
    var drift: Set<Operation.Subject> = []
    var poll: Timestamp?
    var pollBegan: Timestamp?
    /// How long the observation of the last poll took.
    var pollTook: Duration?

    var droppedPackets: [IPFamily: [Rules.Chain: UInt64]] = [:]
    var refusedEndpoints: [NamespacedName: Set<ServiceRefusal>] = [:]
    /// By our own judgement or the kernel's.
    var refusedClaims: [NamespacedName: Set<ServiceRefusal>] = [:]
    var refusalGeneration = 0
    var notices: [Announcer.Notice] = []

    /// What of a family's rules is going on.
    struct RulesQueue {
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
        minSyncPeriod = MinSyncPeriod(settings.minSyncPeriod)
        ruleQueues = Dictionary(uniqueKeysWithValues: translation.desired.rules.keys.map { ($0, RulesQueue()) })
    }

    public var nodeName: String { translation.nodeName }

    /// What the kernel is to hold.
    public var desired: NodeState { translation.desired }

    /// Those that this node serves.
    public var families: Set<IPFamily> { Set(ruleQueues.keys) }

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
        minSyncPeriod.requestSync(at: now)
    }

    /// What the source knows: whether everything was listed, and whether something that may exist is missing.
    public mutating func sourceChanged(isListed: Bool, isIncomplete: Bool, at now: Timestamp) {
        if isListed, !self.isListed { minSyncPeriod.requestSync(at: now) }
        self.isListed = isListed
        guard isIncomplete != self.isIncomplete else { return }
        self.isIncomplete = isIncomplete
        if isIncomplete {
            suspendsRemovals = true
            notices.append(.init(.warning, "Source incomplete; suspending removals"))
        } else {
            // Removals go on once what can be read now is translated.
            minSyncPeriod.requestSync(at: now)
        }
    }

    /// The node's addresses may have changed.
    public mutating func addressesChanged() { addressesAreOld = true }

    /// Does not wait for the Node object.
    public mutating func serveWithoutNode() { nodeWait = nil }

    /// Whether something is asked for that a sync has not taken over.
    public var hasPendingChanges: Bool { minSyncPeriod.isSyncRequested }

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
            guard addressesAreKnown else {
                if let outcome { return publish(outcome, at: now, wall: wall) }
                return .wait(until: unreadable[.nodeAddresses]?.notBefore)
            }
            // Before the cluster is translated for the first time, nothing is desired, and everything would be taken away.
            if !isTranslated { translate(at: now) }
            if let run = nextRun(at: now) { return .apply(run) }
            if isUnblocked { planDeferred() }
            if let task = nextTask(at: now) { return .start(task) }
            if let scope = nextObservation(at: now) { return .observe(scope) }
            if reconciler.hasSomethingToPlan {
                makePlan(at: now)
                continue
            }
            if let outcome { return publish(outcome, at: now, wall: wall) }
            guard startDueWork(at: now) else { return .wait(until: nextDue(at: now)) }
        }
    }

    mutating func waitForNode(at now: Timestamp) -> Step? {
        guard var nodeWait else { return nil }
        let verdict = nodeWait.evaluate(node, at: now)
        self.nodeWait = nodeWait
        switch verdict {
        case .ready:
            self.nodeWait = nil
            return .beginServing(node, missing: nil)
        case .wait(let end):
            if !isWaitingForNode { notices.append(.init(.info, "Waiting for Node object", ["node": nodeName])) }
            isWaitingForNode = true
            return .wait(until: end)
        case .continueWithout(let missing):
            self.nodeWait = nil
            return .beginServing(node, missing: missing)
        case .timedOut(let missing): return .fail(missing: missing)
        }
    }

    /// Something is to be done: a sync begins, unless one is under way.
    mutating func begin(at now: Timestamp) {
        guard outcome == nil else { return }
        outcome = SyncOutcome()
        activeSince = now
    }

    /// Begins what is due; false where nothing is.
    mutating func startDueWork(at now: Timestamp) -> Bool {
        var isDue = false
        if let due = minSyncPeriod.due, due <= now {
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
            (poll, pollBegan, pollTook) = (nil, reconciler.draining.isEmpty ? nil : now, reconciler.draining.isEmpty ? .zero : nil)
            isDue = true
        }
        if isDue { begin(at: now) }
        clearReadFailures(at: now)
        return isDue
    }

    /// What could be read again by now and is not read is needed no more.
    mutating func clearReadFailures(at now: Timestamp) {
        guard !unreadable.isEmpty else { return }
        unreadable = unreadable.filter { part, entry in
            if case .rules(let family) = part, ruleQueues[family]?.isKnown == false { return true }
            return entry.notBefore > now || part == .nodeAddresses && addressesAreOld
        }
    }

    mutating func nextDue(at now: Timestamp) -> Timestamp? {
        var due = [minSyncPeriod.due, retries.nextDue(), poll, audit.running == nil ? audit.due : nil].compactMap(\.self)
        due += unreadable.values.filter { $0.notBefore > now }.map(\.notBefore)
        return due.min()
    }

    mutating func translate(at now: Timestamp) {
        begin(at: now)
        let scope = translation.update(cluster.takeDirtyServices(), of: cluster, localAddresses: localAddresses)
        reconciler.planAgain(scope)
        outcome?.tookChanges = true
        outcome?.translated.formUnion(translation.takeTranslatedServices())
        outcome?.changed.formUnion(scope)
        pendingChanges = PendingChanges()
        latency.take()
        minSyncPeriod.syncBegan()
        isTranslated = true
        if suspendsRemovals, !isIncomplete {
            suspendsRemovals = false
            reconciler.planAgain(.everything)
        }
    }
}
