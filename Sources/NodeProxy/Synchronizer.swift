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
        /// Why the kernel could not even be looked at; the plan was not made.
        public var observationFailure: String?
        public var duration: Duration = .zero

        public var succeeded: Bool { failures.isEmpty && observationFailure == nil }

        /// How many operations of each kind were carried out.
        public var counts: [Operation.Kind: Int] { Plan.counts(operations) }
    }

    private let dataplane: any Dataplane
    private let excludedCIDRs: [CIDR]
    private let logger: Logger
    private let clock = ContinuousClock()
    private let epoch: ContinuousClock.Instant

    private var cluster = ClusterState()
    private var translation: Translation
    private var reconciler: Reconciler
    private var localAddresses: Set<IPAddress> = []
    /// Whether the last sync left nothing undone.
    private var isInStep = false
    /// Whether the kernel was looked at as a whole, with all real servers, at least once.
    private var isAudited = false
    private var localAddressesAreOld = true
    /// Virtual servers whose real servers the audit under way has not looked at.
    private var unaudited: [VirtualServer.Identity] = []
    private var isHoldingBack = false
    private var knownRefusals: [NamespacedName: Set<IPAddress>] = [:]
    private var knownConflicts: [NamespacedName: Set<VirtualServer.Identity>] = [:]

    /// What fails is observed and tried again at once this often before it waits for the next sync: most failures come from a mirror that was out of date.
    private static let rounds = 3

    public init(translation: Translation, dataplane: any Dataplane, drainTimeout: Duration, excludedCIDRs: [CIDR], logger: Logger) {
        self.translation = translation
        self.dataplane = dataplane
        self.excludedCIDRs = excludedCIDRs
        self.logger = logger
        reconciler = Reconciler(drainTimeout: drainTimeout)
        epoch = clock.now
    }

    /// Now, on the clock that schedules and drain deadlines use.
    public nonisolated var now: Timestamp { Timestamp(nanoseconds: 0).advanced(by: epoch.duration(to: clock.now)) }

    public var drainingServerCount: Int { reconciler.drainingServerCount }

    /// Takes changes of the cluster over; the next sync acts on them.
    public func absorb(_ changes: [ClusterChange]) {
        for change in changes { cluster.apply(change) }
    }

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
        isAudited = true
        localAddressesAreOld = true
    }

    /// Takes up the next part of an audit, so that changes of the cluster need not wait for all of it: the next sync looks at the real servers of
    /// some virtual servers.
    public func continueAudit() {
        reconciler.distrust(.only(.init(realServers: Set(unaudited.suffix(Synchronizer.auditSlice)))))
        unaudited.removeLast(min(Synchronizer.auditSlice, unaudited.count))
    }

    /// Whether an audit has parts left.
    public var isAuditing: Bool { !unaudited.isEmpty }

    /// Dumps of this many virtual servers' real servers take some ten milliseconds.
    private static let auditSlice = 256

    /// The next sync looks how draining servers are doing.
    public func inspectDraining() { reconciler.inspectDraining() }

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
            for _ in 0..<Synchronizer.rounds {
                try await observe()
                let plan = nextPlan()
                let report = plan.isEmpty ? Report() : await dataplane.apply(plan.operations)
                reconciler.finish(plan, report, desired: translation.desired)
                outcome.operations = outcome.operations.isEmpty ? plan.operations : outcome.operations + plan.operations
                outcome.mended += outcome.failures
                outcome.failures = report.failures
                if reconciler.scopeToObserve.isEmpty { break }
            }
            // An audit that the next one overtakes goes on where it stopped.
            if case .only(let selection) = scope, selection.frame, unaudited.isEmpty {
                unaudited = Array(reconciler.mirror.virtualServers.keys)
            }
        } catch {
            reconciler.distrust(.everything)
            outcome.observationFailure = "\(error)"
        }
        outcome.duration = start.duration(to: clock.now)
        log(outcome)
        return outcome
    }

    private func refreshLocalAddresses() async throws {
        localAddresses = try await dataplane.nodeAddresses()
        localAddressesAreOld = false
    }

    private func translate() {
        let scope = translation.update(cluster.takeDirty().services, of: cluster, localAddresses: localAddresses)
        reconciler.desiredStateChanged(scope)
        logConflicts()
    }

    private func observe() async throws {
        let scope = reconciler.scopeToObserve
        guard !scope.isEmpty else { return }
        let observed = try await dataplane.observe(scope)
        let ownership = Ownership(observed: observed, localAddresses: localAddresses, excluded: excludedCIDRs)
        reconciler.adopt(observed, of: scope, desired: translation.desired, at: now) { scope.isOfAllVirtualServers && ownership.isOurs($0) }
    }

    // MARK: Telling

    private func log(_ outcome: Outcome) {
        if logger.logLevel <= .debug {
            let failed = Set((outcome.failures + outcome.mended).map(\.operation))
            for operation in outcome.operations where !failed.contains(operation) {
                logger.debug("Applied", metadata: ["operation": "\(operation)"])
            }
        }
        for failure in outcome.mended.prefix(Synchronizer.loggedFailures) {
            logger.warning("An operation failed and was tried again", metadata: metadata(of: failure))
        }
        for failure in outcome.failures.prefix(Synchronizer.loggedFailures) {
            logger.error("An operation failed", metadata: metadata(of: failure))
        }
        if outcome.failures.count > Synchronizer.loggedFailures {
            logger.error("More operations failed", metadata: ["failures": "\(outcome.failures.count - Synchronizer.loggedFailures)"])
        }
        if let reason = outcome.observationFailure { logger.error("The kernel could not be read", metadata: ["error": "\(reason)"]) }
        tellIfInStep(outcome)
        guard !outcome.operations.isEmpty else { return }
        var metadata: Logger.Metadata = ["milliseconds": "\(outcome.duration.wholeMilliseconds)", "failures": "\(outcome.failures.count)"]
        for (kind, count) in outcome.counts { metadata[kind.rawValue] = "\(count)" }
        logger.info("Synced", metadata: metadata)
    }

    private func metadata(of failure: Report.Failure) -> Logger.Metadata {
        [
            "operation": "\(failure.operation)", "service": "\(origin(of: failure.operation)?.description ?? "")",
            "error": "\(failure.reason)",
        ]
    }

    private func tellIfInStep(_ outcome: Outcome) {
        defer { isInStep = outcome.succeeded }
        guard outcome.succeeded, !isInStep else { return }
        logger.info("The kernel is in step", metadata: ["virtualServers": "\(translation.desired.virtualServers.count)"])
    }

    /// A failure of everything at once must not fill the log.
    private static let loggedFailures = 20

    private func logConflicts() {
        for (service, identities) in translation.conflicts where knownConflicts[service] != identities {
            for identity in identities.sorted() {
                logger.warning(
                    "Another Service has this address and port already; it stays with the older one",
                    metadata: ["service": "\(service)", "virtualServer": "\(identity)"])
            }
        }
        knownConflicts = translation.conflicts
        for (service, addresses) in translation.refusals where knownRefusals[service] != addresses {
            logger.error(
                "A Service's address is this node's own or nobody's, and is not served: give the Service another one",
                metadata: ["service": "\(service)", "addresses": "\(addresses.sorted().map(\.description).joined(separator: " "))"])
        }
        knownRefusals = translation.refusals
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
