internal import Kubernetes
public import Model
internal import Reconciler
internal import Translation

/// Observations of the kernel and of the node's addresses.
extension SyncLoop {
    /// Handles the result of `Step.readAddresses`.
    public mutating func readAddresses(_ result: Result<NodeAddresses, any Error>, at now: Timestamp) {
        switch result {
        case .success(let addresses):
            if unreadable[.nodeAddresses] != nil { beginSync(at: now) }
            recordRead(.nodeAddresses)
            guard addresses != nodeAddresses || !addressesAreKnown else { return }
            if addressesAreKnown, addresses.all != localAddresses {
                notices.append(Announcer.notice(ofAddresses: addresses.all, before: localAddresses))
            }
            (nodeAddresses, addressesAreKnown) = (addresses, true)
            minSyncPeriod.requestSync(at: now)
        case .failure(let error):
            // The last known addresses stay in use.
            addressesAreStale = true
            beginSync(at: now)
            recordReadFailure(.nodeAddresses, error, at: now)
        }
    }

    // MARK: Schedulers

    /// Handles the result of `Step.testSchedulers`: those that the kernel has.
    ///
    /// If the test fails, the kernel may have them all: it refuses virtual servers with one that it lacks, which names the Service.
    public mutating func testedSchedulers(_ schedulers: [Scheduler], _ result: Result<Set<Scheduler>, any Error>) {
        let found: Set<Scheduler>
        switch result {
        case .success(let available): found = available
        case .failure(let error):
            found = Set(schedulers)
            let names = schedulers.map(\.name).joined(separator: ", ")
            notices.append(.init(.warning, "Failed to test IPVS schedulers; using them", ["schedulers": names, "error": "\(error)"]))
        }
        schedulerDemand.record(schedulers, found: found)
        translation.addSchedulers(found)
    }

    // MARK: The kernel

    /// Whether a part of the state may be read now: its last read succeeded, or its retry is due.
    func isReadable(_ part: ObservationFailure.Part, at now: Timestamp) -> Bool {
        unreadable[part].map { $0.notBefore <= now } ?? true
    }

    mutating func recordRead(_ part: ObservationFailure.Part) { unreadable[part] = nil }

    mutating func recordReadFailure(_ part: ObservationFailure.Part, _ error: any Error, at now: Timestamp) {
        let attempts = (unreadable[part]?.failure.attempts ?? 0) + 1
        let failure = ObservationFailure(part: part, reason: "\(error)", attempts: attempts, isOfAudit: false)
        unreadable[part] = (failure, now.advanced(by: retries.backoff(attempts)))
        outcome?.observationFailures.append(failure)
        // A standby publishes no sync.
        if isStandby, attempts == 1 {
            notices.append(.init(.warning, "Failed to read kernel state; retrying", ["part": "\(part)", "error": "\(error)"]))
        }
    }

    /// Returns the next part of the scope to observe that can be read now; nil if there is none. A part that cannot be read does not block
    /// the others.
    func nextObservation(at now: Timestamp) -> Scope? {
        switch reconciler.scopeToObserve {
        case .everything: return isReadable(.everything, at: now) ? .everything : nil
        case .only(let unknown):
            if isReadable(.virtualServers, at: now), !unknown.virtualServers.isEmpty || !unknown.realServers.isEmpty {
                var room = Room()
                let virtualServers = Set(unknown.virtualServers.lazy.prefix { room.takes(reconciler.mirror.virtualServers[$0]) })
                let others = unknown.realServers.lazy.filter { !unknown.virtualServers.contains($0) }
                let realServers = Set(others.prefix { room.takes(reconciler.mirror.virtualServers[$0]) })
                return .only(.init(virtualServers: virtualServers, realServers: realServers))
            }
            if isReadable(.device, at: now), unknown.device || !unknown.addresses.isEmpty {
                return .only(.init(device: unknown.device, addresses: unknown.addresses))
            }
            for (name, members) in unknown.members where isReadable(.set(name), at: now) { return .only(.init(members: [name: members])) }
            return nil
        }
    }

    /// What one observation of virtual servers may contain, so that changes do not wait long for its end.
    private struct Room {
        private var servers = Audit.sliceSize
        private var realServers = 4096

        /// The first one always fits.
        mutating func takes(_ server: VirtualServer?) -> Bool {
            guard servers > 0, realServers > 0 else { return false }
            servers -= 1
            realServers -= server?.realServers.count ?? 0
            return true
        }
    }

    /// Returns the part to which a scope of `nextObservation` belongs.
    static func part(_ scope: Scope) -> ObservationFailure.Part {
        guard case .only(let selection) = scope else { return .everything }
        if let name = selection.members.keys.first { return .set(name) }
        return selection.device || !selection.addresses.isEmpty ? .device : .virtualServers
    }

    /// Handles the result of `Step.observe`.
    public mutating func observed(_ result: Result<NodeState, any Error>, of scope: Scope, at now: Timestamp) {
        let part = SyncLoop.part(scope)
        isObserving = false
        changesHadTurn = false
        defer {
            // It may have read what the previous holder changed afterwards.
            if observationIsOutdated { reconciler.invalidate(scope) }
            observationIsOutdated = false
        }
        beginSync(at: now)
        switch result {
        case .failure(let error):
            isObservingInParts = false
            recordReadFailure(part, error, at: now)
        case .success(var state):
            recordRead(part)
            var scope = scope
            if case .only(let selection) = scope { scope = .only(addingAnnouncedMembers(selection, state)) }
            // Rules are observed by tasks of their own.
            (state.rules, state.leftovers) = (reconciler.mirror.rules, reconciler.mirror.leftovers)
            state.rulesInOtherBackends = reconciler.mirror.rulesInOtherBackends
            if case .only(let selection) = scope { recordDrift(state, selection) } else { translation.adoptServiceAddresses(of: state) }
            let ours = unknownOwnServers(in: state, of: scope)
            recordObservedAdditions(in: scope)
            reconciler.merge(state, of: scope, desired: translation.desired, at: now) { ours.contains($0.identity) }
            if case .everything = scope { audit.begin(at: now) }
            // A plan would do so, and there is none.
            if isStandby { reconciler.shareStorage(with: translation.desired) }
            if part == .virtualServers, let began = pollStart { (pollStart, pollDuration) = (nil, began.duration(to: now)) }
            shouldPlanDeferred = true
            isObservingInParts =
                if case .only(let left) = reconciler.scopeToObserve { !left.virtualServers.isEmpty || !left.realServers.isEmpty } else {
                    false
                }
        }
    }

    /// Returns the virtual servers of an observation that belong to this program although they are neither desired nor in the mirror.
    ///
    /// Decided before the observation is merged: an `Ownership` that outlives the merge would make the mirror copy all of its storage.
    private func unknownOwnServers(in observed: NodeState, of scope: Scope) -> Set<VirtualServer.Identity> {
        var evidence = observed
        if case .only = scope { evidence = reconciler.mirror }
        let ownership = Ownership(observed: evidence, localAddresses: localAddresses, excluded: settings.excludedCIDRs)
        let (desired, known) = (translation.desired.virtualServers, reconciler.mirror.virtualServers)
        let ours = observed.virtualServers.values.lazy.filter {
            desired[$0.identity] == nil && known[$0.identity] == nil && (uncertainAdditions.contains($0.identity) || ownership.isOurs($0))
        }
        return Set(ours.map(\.identity))
    }

    /// The outcome of these additions is known now.
    private mutating func recordObservedAdditions(in scope: Scope) {
        guard !uncertainAdditions.isEmpty else { return }
        switch scope {
        case .everything: uncertainAdditions = []
        case .only(let selection): uncertainAdditions.subtract(selection.virtualServers)
        }
    }

    /// Records the external changes that an observation confirms in the scope of suspected drift.
    mutating func recordDrift(_ observed: NodeState, _ selection: Scope.Selection) {
        guard !suspectedDrift.isEmpty else { return }
        var suspected = selection
        suspected.virtualServers.formIntersection(suspectedDrift.virtualServers)
        suspected.realServers.formIntersection(suspectedDrift.realServers)
        suspected.device = selection.device && suspectedDrift.device
        suspected.addresses.formIntersection(suspectedDrift.addresses)
        suspected.members = selection.members.filter { suspectedDrift.members[$0.key] != nil }
        suspectedDrift.subtract(selection)
        drift.formUnion(Drift.subjects(from: reconciler.mirror, to: observed, in: suspected))
    }
}
