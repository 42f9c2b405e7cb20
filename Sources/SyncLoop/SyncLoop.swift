public import FoundationEssentials
public import Kubernetes
public import Model
public import Reconciler
public import Translation

/// The sync loop as a value: it holds all state of the proxy and determines the next step, without a clock and without I/O.
///
/// The driver calls `next` repeatedly, carries out one step at a time and passes its result to the method named with the step. Only tasks,
/// which `start` steps begin, run concurrently with other steps, and their results may be passed at any time. So virtual servers and real
/// servers continue to be programmed while rules are restored, and only operations that depend on those rules wait.
///
/// A sync begins when work is due: changes, a retry, a poll of draining or slow-starting real servers, or the result of a task. It ends
/// with a `publish` step, when no work is left that can be done without waiting.
public struct SyncLoop: Sendable {
    public struct Settings: Sendable {
        /// The shortest time between the end of a sync of changes and the start of the next (`ipvs.minSyncPeriod`).
        public var minSyncPeriod: Duration
        /// The shortest time in which audits read the complete kernel state (`ipvs.syncPeriod`), and the longest retry backoff.
        public var syncPeriod: Duration
        /// The longest time that a real server which is no longer desired keeps its connections, unless its Service specifies another.
        public var drainTimeout: Duration
        /// The ranges whose virtual servers are never removed (`ipvs.excludeCIDRs`).
        public var excludedCIDRs: [CIDR]
        /// The wait for the Node object; nil if there is none to wait for.
        public var nodeWait: NodeWait?
        /// The backoff before the first retry.
        public var firstRetry: Duration = .milliseconds(500)
        /// The schedulers that are tested only once a Service asks for them.
        public var untestedSchedulers: [Scheduler]
        /// How long the operations of one plan may go on before changes that arrived meanwhile get their turn.
        public var turn: Duration = .milliseconds(50)
        /// The number of operations that one step may contain, however long they take.
        public var smallestBatch = 64

        public init(
            minSyncPeriod: Duration, syncPeriod: Duration, drainTimeout: Duration, excludedCIDRs: [CIDR] = [], nodeWait: NodeWait? = nil,
            untestedSchedulers: [Scheduler] = []
        ) {
            self.minSyncPeriod = minSyncPeriod
            self.syncPeriod = syncPeriod
            self.drainTimeout = drainTimeout
            self.excludedCIDRs = excludedCIDRs
            self.nodeWait = nodeWait
            self.untestedSchedulers = untestedSchedulers
        }
    }

    public let settings: Settings
    public internal(set) var cluster = ClusterState()
    public internal(set) var translation: Translation
    public internal(set) var reconciler: Reconciler
    public internal(set) var retries: Retries
    var audit: Audit

    // MARK: The standby

    /// Whether another program changes the kernel, so that this one only follows: see `takeOver`.
    public internal(set) var isStandby: Bool
    var recentChanges = RecentChanges()
    /// Whether the complete kernel state is observed again before the sync ends.
    var isVerificationDue = false
    /// Whether an observation is in progress.
    var isObserving = false
    /// Whether the observation in progress began before this instance took over.
    var observationIsOutdated = false

    // MARK: Announcements of the kernel

    var announcedChanges: AnnouncedChanges
    /// The sets whose next observation compares all members.
    var announcedSets: Set<AddressSet.Name> = []
    /// The families whose rules are observed as soon as no other task on them runs.
    var announcedRules: Set<IPFamily> = []

    // MARK: The source

    /// Whether the source has delivered its first complete list. Nothing is planned before.
    var isListed = false
    /// Whether the source may lack objects that exist.
    var isIncomplete = false
    /// Whether removals are suspended: the source is incomplete, or the desired state was translated while it was.
    var suspendsRemovals = false
    var schedulerDemand: SchedulerDemand
    var nodeWait: NodeWait?
    var isWaitingForNode = false
    var isTranslated = false
    public internal(set) var pendingChanges = PendingChanges()
    var latency: ProgrammingLatency
    var minSyncPeriod: MinSyncPeriod

    // MARK: The node's addresses

    /// The node's addresses on interfaces other than `kube-ipvs0`, as last read.
    var nodeAddresses = NodeAddresses()
    public var localAddresses: Set<IPAddress> { nodeAddresses.all }
    var addressesAreStale = true
    var addressesAreKnown = false

    // MARK: The sync in progress

    var outcome: SyncOutcome?
    var activeSince: Timestamp?
    /// The operations that are being applied.
    var current = PlannedOperations()
    /// Operations that continue when nothing else is due: see `SyncLoop+Pacing.swift`.
    var paused: [PlannedOperations] = []
    var pace: ApplyPace
    /// The expected time of the operations since the last turn of changes.
    var turnCost = Duration.zero
    /// Whether operations are paused for changes. Not before the rules of a family are in place: until then, no Service is served.
    var isPaced = false
    /// Whether paused operations come next, before changes that are due.
    var isTurnOfPaused = false
    /// Whether the sync is published although operations are paused, as it applied all operations of other Services.
    var isPublishedEarly = false
    /// The operations that paused ones may depend on and that were deferred.
    var deferredWhilePaused: [Operation] = []
    /// Whether dependencies that paused operations do not know of may have been met.
    var isDependencyMetWhilePaused = false
    /// Whether more virtual servers are to be observed than one observation reads.
    var isObservingInParts = false
    /// Whether changes came between two observations and are planned before the next one.
    var plansBeforeObserving = false
    /// Whether changes came since the last observation: the next part comes before further ones.
    var changesHadTurn = false

    // MARK: Deferred work and failures

    /// The scope of operations with unmet dependencies. It is planned again when a dependency may have been met.
    var deferred = Scope.Selection()
    var deferredServices: Set<NamespacedName> = []
    /// Whether a dependency of deferred operations may have been met. They are planned again when all remaining operations have been
    /// applied or deferred.
    var shouldPlanDeferred = false
    var ruleQueues: [RulesQueue.Part: RulesQueue]
    /// The parts of the state that failed to be read, and when reading is retried.
    var unreadable: [ObservationFailure.Part: (failure: ObservationFailure, notBefore: Timestamp)] = [:]
    /// The scope whose next observation is checked for external changes: mismatches found by audits, and polled real servers.
    var suspectedDrift = Scope.Selection()
    /// Externally changed objects that are not yet repaired.
    var drift: Set<Operation.Subject> = []
    /// Virtual servers whose addition failed, and that have not been observed since: the kernel may have added them, as an acknowledgement can
    /// be lost. They are ours, also if their Service is deleted before they have an address or a member of a set that shows it.
    var uncertainAdditions: Set<VirtualServer.Identity> = []

    /// When draining and slow-starting real servers are polled next; nil if there are none.
    var nextPoll: Timestamp?
    /// When the poll in progress started.
    var pollStart: Timestamp?
    /// The duration of the last poll's observation.
    var pollDuration: Duration?

    var droppedPackets: [IPFamily: [Rules.Chain: UInt64]] = [:]
    var refusedEndpoints: [NamespacedName: Set<ServiceRefusal>] = [:]
    /// Addresses refused by the translation or by the kernel.
    var refusedAddresses: [NamespacedName: Set<ServiceRefusal>] = [:]
    var refusalGeneration = 0
    var notices: [Announcer.Notice] = []

    /// - Parameters:
    ///   - start: the start time of the program. Changes with an earlier cause are not counted in latencies.
    ///   - isStandby: whether another program changes the kernel until `takeOver`.
    public init(_ settings: Settings, translation: Translation, start: Date, isStandby: Bool = false) {
        self.settings = settings
        self.isStandby = isStandby
        self.translation = translation
        reconciler = Reconciler(drainTimeout: settings.drainTimeout, nodeName: translation.nodeName)
        retries = Retries(first: settings.firstRetry, longest: settings.syncPeriod)
        audit = Audit(period: settings.syncPeriod)
        announcedChanges = AnnouncedChanges(longestInterval: settings.syncPeriod)
        nodeWait = settings.nodeWait
        schedulerDemand = SchedulerDemand(untested: settings.untestedSchedulers)
        latency = ProgrammingLatency(since: start)
        minSyncPeriod = MinSyncPeriod(settings.minSyncPeriod)
        pace = ApplyPace(turn: settings.turn, smallest: settings.smallestBatch)
        ruleQueues = Dictionary(
            uniqueKeysWithValues: translation.desired.rules.keys.flatMap { family in
                [RulesQueue.Part.inUse(family), .inOtherBackends(family)].map { ($0, RulesQueue()) }
            })
    }

    public var nodeName: String { translation.nodeName }

    /// The desired kernel state.
    public var desired: NodeState { translation.desired }

    /// The IP families that this node serves.
    public var families: Set<IPFamily> { Set(ruleQueues.keys.map(\.family)) }

    /// How often the kernel state is audited.
    public var auditStatus: AuditStatus { audit.status }

    /// This node's Node object; nil if it is not known.
    public var node: Node? { cluster.nodes[nodeName] }

    // MARK: Inputs

    /// Adds changes of the cluster and requests a sync.
    public mutating func absorb(_ changes: [ClusterChange], at now: Timestamp) {
        guard !changes.isEmpty else { return }
        for change in changes {
            switch change {
            case .service, .otherNodes: break
            case .endpointSlice(let name, let slice): if !isStandby { latency.record(name, from: cluster.slice(name), to: slice) }
            case .node(let name, let after): if name == nodeName { notices += Announcer.notices(of: after, before: node) }
            }
            schedulerDemand.add(change, default: translation.settings.scheduler)
            pendingChanges.record(change)
            cluster.apply(change)
        }
        minSyncPeriod.requestSync(at: now)
    }

    /// Updates whether the source has delivered its first complete list, and whether it may lack objects that exist.
    public mutating func sourceChanged(isListed: Bool, isIncomplete: Bool, at now: Timestamp) {
        if isListed, !self.isListed { minSyncPeriod.requestSync(at: now) }
        self.isListed = isListed
        guard isIncomplete != self.isIncomplete else { return }
        self.isIncomplete = isIncomplete
        if isIncomplete {
            suspendsRemovals = true
            notices.append(.init(.warning, "Source incomplete; suspending removals"))
        } else {
            // Removals resume when the objects that are readable now have been translated.
            minSyncPeriod.requestSync(at: now)
        }
    }

    /// Skips the wait for the Node object.
    public mutating func serveWithoutNode() { nodeWait = nil }

    /// Whether there are changes that are not yet included in a sync.
    public var hasPendingChanges: Bool { minSyncPeriod.isSyncRequested }

    /// Removes and returns the notices that are not yet logged.
    public mutating func popNotices() -> [Announcer.Notice] {
        defer { notices = [] }
        return notices
    }

    // MARK: Steps

    /// Returns the next step.
    ///
    /// In this order: take announcements, read the node's addresses, test schedulers, translate, apply operations, start tasks, observe, plan,
    /// verify after taking over, end the sync, begin due work, continue with paused operations, wait.
    ///
    /// - Parameters:
    ///   - now: the monotonic time.
    ///   - wall: the time of day, for latencies.
    public mutating func next(at now: Timestamp, wall: Date) -> Step {
        guard isListed else { return .wait(until: nil) }
        if let step = waitForNode(at: now) { return step }
        if isStandby { return nextAsStandby(at: now) }
        while true {
            takeAnnouncements(at: now)
            if addressesAreStale, isReadable(.nodeAddresses, at: now) {
                // A change during the read sets the flag again.
                addressesAreStale = false
                return .readAddresses
            }
            // Node ports and the check of service addresses depend on them.
            guard addressesAreKnown else {
                if let outcome { return publish(outcome, at: now, wall: wall) }
                return .wait(until: unreadable[.nodeAddresses]?.notBefore)
            }
            // Before the Services that ask for them are translated.
            if let schedulers = schedulerDemand.next { return .testSchedulers(schedulers) }
            // Before the first translation the desired state is empty, and a plan would remove everything.
            if !isTranslated { translate(at: now) }
            if let batch = nextBatch(at: now) { return .apply(batch) }
            endPausedOperations()
            if shouldPlanDeferred { planDeferred() }
            if let task = nextTask(at: now) { return .start(task) }
            if areChangesDueBetweenObservations(at: now) {
                translate(at: now)
                (plansBeforeObserving, changesHadTurn) = (true, true)
            }
            if !plansBeforeObserving || !reconciler.needsPlanning, let scope = nextObservation(at: now) {
                isObserving = true
                return .observe(scope)
            }
            if reconciler.needsPlanning {
                makePlan(at: now)
                continue
            }
            if isVerificationDue, paused.isEmpty {
                isVerificationDue = false
                reconciler.invalidate(.everything)
                continue
            }
            if let outcome, paused.isEmpty || isPublishedEarly { return publish(outcome, at: now, wall: wall) }
            // In turns, so that neither constant changes nor a large plan holds up the other.
            if !isTurnOfPaused || paused.isEmpty, startDueWork(at: now) {
                isTurnOfPaused = true
                continue
            }
            isTurnOfPaused = false
            guard resume(at: now) else { return .wait(until: nextDue(at: now)) }
        }
    }

    /// Returns the next step of the wait for the Node object; nil after the wait.
    mutating func waitForNode(at now: Timestamp) -> Step? {
        guard var nodeWait else { return nil }
        let state = nodeWait.evaluate(node, at: now)
        self.nodeWait = nodeWait
        switch state {
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

    /// Begins a sync unless one is in progress.
    mutating func beginSync(at now: Timestamp) {
        guard outcome == nil else { return }
        outcome = SyncOutcome()
        activeSince = now
    }
}
