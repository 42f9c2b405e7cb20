internal import Kubernetes
public import Model
internal import Reconciler
internal import Translation

/// What is read of the kernel and of the node, and what comes of it.
extension SyncLoop {
    public mutating func readAddresses(_ result: Result<Set<IPAddress>, any Error>, at now: Timestamp) {
        switch result {
        case .success(let addresses):
            if unreadable[.nodeAddresses] != nil { begin(at: now) }
            noteRead(.nodeAddresses)
            guard addresses != localAddresses || !addressesAreKnown else { return }
            if addressesAreKnown { notices.append(Announcer.notice(ofAddresses: addresses, before: localAddresses)) }
            (localAddresses, addressesAreKnown) = (addresses, true)
            minSyncPeriod.requestSync(at: now)
        case .failure(let error):
            // Those known last stay in force.
            addressesAreOld = true
            begin(at: now)
            noteUnreadable(.nodeAddresses, error, at: now)
        }
    }

    // MARK: The kernel

    func isReadable(_ part: ObservationFailure.Part, at now: Timestamp) -> Bool {
        unreadable[part].map { $0.notBefore <= now } ?? true
    }

    mutating func noteRead(_ part: ObservationFailure.Part) { unreadable[part] = nil }

    mutating func noteUnreadable(_ part: ObservationFailure.Part, _ error: any Error, isOfAudit: Bool = false, at now: Timestamp) {
        let before = isOfAudit ? auditFailures[part] : unreadable[part]?.failure
        let attempts = (before?.attempts ?? 0) + 1
        let failure = ObservationFailure(part: part, reason: "\(error)", attempts: attempts, isOfAudit: isOfAudit)
        if isOfAudit { auditFailures[part] = failure } else { unreadable[part] = (failure, now.advanced(by: retries.backoff(attempts))) }
        outcome?.observationFailures.append(failure)
    }

    /// The next part that has to be observed and can be: one that fails does not hold the others up.
    func nextObservation(at now: Timestamp) -> Scope? {
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

    static func part(_ scope: Scope) -> ObservationFailure.Part {
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
            if part == .virtualServers, let began = pollBegan { (pollBegan, pollTook) = (nil, began.duration(to: now)) }
            isUnblocked = true
        }
    }

    mutating func noteDrift(_ observed: NodeState, _ selection: Scope.Selection) {
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
}
