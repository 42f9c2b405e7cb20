internal import FoundationEssentials
public import Kubernetes
public import Logging
public import Model
public import Reconciler
public import Translation

/// Brings the kernel to what the cluster asks for, one sync at a time.
public actor Synchronizer {
    /// What a sync did.
    public struct Outcome: Sendable {
        /// What it carried out, in order, failures included.
        public var operations: [Operation] = []
        public var failures: [Report.Failure] = []
        /// What failed at first and was tried again after a look at the kernel.
        public var mended: [Report.Failure] = []
        /// What the kernel will not have; it is tried again by audits, and told with the Service whose it is.
        public var refusals: [Report.Failure] = []
        /// Why the kernel could not even be looked at; the plan was not made.
        public var observationFailure: String?
        public var duration: Duration = .zero
        /// How long changes of endpoints took from their cause to this sync's end (`endpoints.kubernetes.io/last-change-trigger-time`).
        public var latencies: [Duration] = []
        /// What forgetting flows came to, where it was tried.
        public var forgetting: [IPFamily: Report.Forgetting] = [:]
        /// What went through and put right what others had changed, as an audit found.
        public var repairs: [Operation] = []
        /// Services of which something is left to do.
        public var undoneServices: Set<NamespacedName> = []

        public init() {}

        public var succeeded: Bool { failures.isEmpty && observationFailure == nil }

        /// How many operations of each kind were carried out.
        public var counts: [Operation.Kind: Int] { Plan.counts(operations) }
    }

    let dataplane: any Dataplane
    let excludedCIDRs: [CIDR]
    /// The name of this node's Node object.
    nonisolated let nodeName: String
    let logger: Logger
    let events: any EventRecorder
    /// Is given what the kernel is to hold once a sync was made for it, and where it may differ from before.
    private let afterSync: @Sendable (Scope, NodeState) -> Void
    private let clock = ContinuousClock()
    private let epoch: ContinuousClock.Instant

    private(set) var cluster = ClusterState()
    private(set) var translation: Translation
    private(set) var reconciler: Reconciler
    /// What `afterSync` has not been given yet.
    private var untold = Scope.nothing
    private(set) var localAddresses: Set<IPAddress> = []
    private var latency = ProgrammingLatency(since: Date())
    /// Whether the last sync left nothing undone.
    var isInStep = false
    /// Whether the kernel was looked at as a whole, with all real servers, at least once.
    private var isAudited = false
    /// Whether the next sync has to read them, whatever else is to be done.
    private(set) var localAddressesAreOld = true
    /// Whether they may have changed since they were read.
    var localAddressesMayDiffer = false
    /// Virtual servers whose real servers the audit under way has not looked at.
    private var unaudited: [VirtualServer.Identity] = []
    /// Whether the next sync looks at what nobody told of.
    private var isLookingForDrift = false
    /// What the last sync could not do.
    private var undone: Set<Operation> = []
    private var isHoldingBack = false
    private var droppedPackets: [DroppedPackets: UInt64] = [:]
    var knownRefusals: [NamespacedName: Set<Refusal>] = [:]
    var knownInvalidAnnotations: [NamespacedName: Set<InvalidAnnotation>] = [:]
    /// Endpoints that the kernel will not have, and what they were read from.
    var refusedEndpoints: [NamespacedName: Set<Refusal>] = [:]
    var knownRefusedServers: [VirtualServer.Identity: Set<AddressPort>] = [:]
    var knownConflicts: [NamespacedName: Set<VirtualServer.Identity>] = [:]

    /// What fails is observed and tried again at once this often before it waits for the next sync: most failures come from a mirror that was out of date.
    private static let rounds = 3

    public init(
        translation: Translation, dataplane: any Dataplane, drainTimeout: Duration, excludedCIDRs: [CIDR],
        events: any EventRecorder = NoEvents(), afterSync: @escaping @Sendable (Scope, NodeState) -> Void = { _, _ in },
        logger: Logger
    ) {
        self.translation = translation
        nodeName = translation.nodeName
        self.dataplane = dataplane
        self.excludedCIDRs = excludedCIDRs
        self.events = events
        self.afterSync = afterSync
        self.logger = logger
        reconciler = Reconciler(drainTimeout: drainTimeout, nodeName: translation.nodeName)
        epoch = clock.now
    }

    /// Now, on the clock that schedules and drain deadlines use.
    public nonisolated var now: Timestamp { Timestamp(nanoseconds: 0).advanced(by: epoch.duration(to: clock.now)) }

    public var drainingServerCount: Int { reconciler.drainingServerCount }

    /// What the kernel is to hold of Services.
    public var desiredVirtualServers: [VirtualServer.Identity: VirtualServer] { translation.desired.virtualServers }

    /// How things stand after the last sync.
    public var standing: Standing {
        var standing = Standing(families: translation.settings.families)
        standing.serviceCount = cluster.services.count
        standing.node = node
        standing.healthChecks = translation.healthChecks
        standing.healthCheckAddresses = translation.healthCheckAddresses
        standing.noLocalEndpoints = translation.noLocalEndpoints
        standing.refusedClaims = refusedClaims
        standing.conflicts = translation.conflicts
        standing.invalidAnnotations = translation.invalidAnnotations
        standing.drainingServers = reconciler.drainingServerCount
        standing.droppedPackets = droppedPackets
        return standing
    }

    /// Takes changes of the cluster over; the next sync acts on them.
    public func absorb(_ changes: [ClusterChange]) {
        for change in changes {
            switch change {
            case .service, .otherNodes: break
            case .endpointSlice(let name, let slice): latency.note(name, from: cluster.slice(name), to: slice)
            case .node(let name, let node): if name == nodeName { tellOfNode(node) }
            }
            cluster.apply(change)
        }
    }

    /// Whether there is a Node object of this node's name.
    public var knowsNode: Bool { node != nil }

    /// This node's Node object, as far as it is known.
    var node: Node? { cluster.nodes[nodeName] }

    /// While the source is in doubt about what exists, nothing is taken away for not being known: a manifest that is broken when the proxy starts must not
    /// take Services down that a run before it made.
    ///
    /// - Returns: whether that is new, and a sync should follow.
    @discardableResult
    public func holdBack(_ isInDoubt: Bool) -> Bool {
        guard isInDoubt != isHoldingBack else { return false }
        isHoldingBack = isInDoubt
        if isInDoubt {
            logger.warning("Something that may be in service cannot be read: nothing is removed until it can")
        } else {
            reconciler.desiredStateChanged(.everything)
        }
        return !isInDoubt
    }

    /// Begins an audit: others may have changed the kernel or this node's addresses. The next sync looks at everything but real servers.
    public func beginAudit() {
        reconciler.distrust(isAudited ? .only(.init(frame: true)) : .everything)
        if !isAudited { reconciler.tryRefusedAgain(reconciler.refused.locations.keys) }
        isLookingForDrift = isAudited
        isAudited = true
        localAddressesAreOld = true
    }

    /// Takes up the next part of an audit, so that changes of the cluster need not wait for all of it: the next sync looks at the real servers of
    /// some virtual servers.
    public func continueAudit() {
        let slice = Set(unaudited.suffix(Synchronizer.auditSlice))
        reconciler.distrust(.only(.init(realServers: slice)))
        isLookingForDrift = true
        reconciler.tryRefusedAgain(slice)
        unaudited.removeLast(min(Synchronizer.auditSlice, unaudited.count))
    }

    /// Whether an audit has parts left.
    public var isAuditing: Bool { !unaudited.isEmpty }

    /// Dumps of this many virtual servers' real servers take some ten milliseconds.
    private static let auditSlice = 256

    /// The next sync looks how draining servers are doing, and raises the weights of those that start slowly.
    public func tendServers() {
        reconciler.inspectDraining()
        reconciler.continueSlowStarts()
    }

    /// Whether any real server drains or starts slowly.
    public var hasServersToTend: Bool { reconciler.drainingServerCount > 0 || reconciler.isWarming }

    /// What a sync would do now; nothing is changed.
    public func plan() async throws -> Plan {
        try await refreshLocalAddresses()
        translate()
        try await observe()
        return nextPlan()
    }

    private func nextPlan() -> Plan {
        let plan = reconciler.plan(for: translation.desired, at: now)
        return isHoldingBack ? plan.withoutRemovals() : plan
    }

    /// The Service port that an operation is about.
    public func origin(of operation: Operation) -> ServiceOrigin? { reconciler.origin(of: operation, desired: translation.desired) }

    /// One sync: translates what changed, looks at what is not known, and applies the difference.
    public func sync() async -> Outcome {
        let start = clock.now
        var outcome = Outcome()
        do {
            let scope = reconciler.scopeToObserve
            if localAddressesAreOld { try await refreshLocalAddresses() }
            translate()
            var drift = isLookingForDrift ? Drift(beyond: nextPlan(), undone: undone, reconciler) : nil
            for _ in 0..<Synchronizer.rounds {
                try await observe()
                let plan = nextPlan()
                let report = plan.isEmpty ? Report() : await dataplane.apply(plan.operations)
                if let repairs = drift?.repairs(in: plan), !repairs.isEmpty {
                    outcome.repairs = repairs.filter { operation in !report.failures.contains { $0.operation == operation } }
                }
                drift = nil
                reconciler.finish(plan, report, desired: translation.desired)
                outcome.operations = outcome.operations.isEmpty ? plan.operations : outcome.operations + plan.operations
                outcome.mended += outcome.failures
                outcome.failures = report.failures.filter { !$0.isRefusal }
                outcome.refusals += report.failures.filter(\.isRefusal)
                outcome.forgetting.merge(report.forgetting, uniquingKeysWith: +)
                if reconciler.scopeToObserve.isEmpty { break }
            }
            undone = Set((outcome.failures + outcome.refusals).map(\.operation))
            isLookingForDrift = false
            tellOfRefusedEndpoints()
            // An audit that the next one overtakes goes on where it stopped.
            if case .only(let selection) = scope, selection.frame, unaudited.isEmpty {
                unaudited = Array(reconciler.mirror.virtualServers.keys)
            }
        } catch {
            reconciler.distrust(.everything)
            outcome.observationFailure = "\(error)"
        }
        droppedPackets = DroppedPackets.counts(await dataplane.droppedPackets())
        outcome.duration = start.duration(to: clock.now)
        if outcome.observationFailure == nil {
            outcome.undoneServices = Set(outcome.failures.compactMap { origin(of: $0.operation)?.service })
            outcome.latencies = latency.settle(at: Date(), except: outcome.undoneServices)
        }
        log(outcome)
        if outcome.observationFailure == nil, !untold.isEmpty {
            afterSync(untold, translation.desired)
            untold = .nothing
        }
        return outcome
    }

    func refreshLocalAddresses() async throws {
        // Whatever changes while they are read is told again.
        localAddressesMayDiffer = false
        localAddressesAreOld = true
        localAddresses = try await dataplane.nodeAddresses()
        localAddressesAreOld = false
    }

    private func translate() {
        let scope = translation.update(cluster.takeDirty().services, of: cluster, localAddresses: localAddresses)
        reconciler.desiredStateChanged(scope)
        untold.formUnion(scope)
        tellOfClaims()
    }

    private func observe() async throws {
        let scope = reconciler.scopeToObserve
        guard !scope.isEmpty else { return }
        let observed = try await dataplane.observe(scope)
        let ownership = Ownership(observed: observed, localAddresses: localAddresses, excluded: excludedCIDRs)
        reconciler.adopt(observed, of: scope, desired: translation.desired, at: now) { scope.isOfAllVirtualServers && ownership.isOurs($0) }
    }
}

extension Scope {
    /// Whether an observation of it has all sets and addresses, which tell whose a virtual server is.
    fileprivate var isOfAllVirtualServers: Bool {
        switch self {
        case .everything: true
        case .only(let selection): selection.frame
        }
    }
}

extension Duration {
    /// Rounded down.
    public var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
