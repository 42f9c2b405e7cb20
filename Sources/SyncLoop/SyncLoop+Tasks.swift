internal import Kubernetes
public import Model
public import Reconciler
internal import Translation

/// Tasks that run concurrently with the other steps: observing and changing rules, and audits.
extension SyncLoop {
    /// Returns the next task to start; nil if there is none.
    mutating func nextTask(at now: Timestamp) -> Task? {
        for part in IPFamily.allCases.flatMap({ [RulesQueue.Part.inUse($0), .inOtherBackends($0)] }) {
            guard let queue = ruleQueues[part], queue.running == nil else { continue }
            if !queue.isKnown || queue.isOutdated {
                guard let task = observation(of: part, at: now) else { continue }
                if case .inUse(let family) = part { announcedRules.remove(family) }
                ruleQueues[part]?.isOutdated = false
                ruleQueues[part]?.running = .observation(.needed)
                return task
            }
            guard let operation = queue.planned else {
                // After an operation, which the kernel may have announced: whether others have changed the rules as well shows only now.
                guard case .inUse(let family) = part, announcedRules.remove(family) != nil else { continue }
                ruleQueues[part]?.running = .observation(.announced)
                return .observeRules(family)
            }
            let removesOldRules = if case .oldRules = operation.subject { true } else { false }
            // Old rules wait for everything that is still to be planned.
            if removesOldRules, reconciler.needsPlanning || !paused.isEmpty { continue }
            // What these rules restrict is still to be removed.
            if operation.kind == .restoreRules, !addsRules(operation), pausedOperationsRemove(part.family) { continue }
            ruleQueues[part]?.planned = nil
            guard current.unmetDependencies.dependency(of: operation) == nil, !removesRequiredRules(operation),
                !(removesOldRules && needsOldRules(part.family))
            else {
                addToDeferred(operation)
                continue
            }
            ruleQueues[part]?.running = .operation(operation)
            return .applyRules(operation)
        }
        // The other program's changes are no external changes.
        guard !isStandby else { return nil }
        guard let slice = updateAudit(at: now, { [mirror = reconciler.mirror] in $0.next(mirror, at: now) }) else { return nil }
        if let duration = audit.popLongRound() { notices.append(Announcer.notice(ofLongAudit: duration)) }
        guard case .rules(let family) = slice else { return .audit(slice, expected: slice.expected(in: reconciler.mirror)) }
        // The slice ends here, so that a rules listing that hangs does not block the other slices.
        audit.endRules()
        // Rules that are being changed or are not known are observed anyway.
        let part = RulesQueue.Part.inUse(family)
        guard ruleQueues[part]?.running == nil, ruleQueues[part]?.isKnown == true else { return nextTask(at: now) }
        announcedRules.remove(family)
        ruleQueues[part]?.running = .observation(.audit)
        return .observeRules(family)
    }

    /// Returns the task that observes a part of the rules that is not known; nil if it has to wait.
    ///
    /// Other backends are observed when the rules in use are in place, once, and again only after a failure: that costs nothing later, and
    /// rules that appear in them while this program runs belong to a running proxy, which would restore them.
    private func observation(of part: RulesQueue.Part, at now: Timestamp) -> Task? {
        switch part {
        case .inUse(let family): isReadable(.rules(family), at: now) ? .observeRules(family) : nil
        case .inOtherBackends(let family):
            isReadable(.rulesInOtherBackends(family), at: now) && !familiesWithoutRules.contains(family)
                ? .observeOtherBackends(family) : nil
        }
    }

    /// Whether an operation restores rules or jumps that are missing, and does not only remove some.
    private func addsRules(_ operation: Operation) -> Bool {
        guard case .restoreRules(let rules, let missingJumps) = operation else { return false }
        return !missingJumps.isEmpty || rules.adds(to: reconciler.mirror.rules[rules.family] ?? Rules(rules.family))
    }

    /// Whether an operation removes rules that are still required, because an address or virtual server that they restrict has not been
    /// removed yet.
    func removesRequiredRules(_ operation: Operation) -> Bool {
        guard case .restoreRules(let rules, _) = operation, !addsRules(operation) else { return false }
        if case .only(let unknown) = reconciler.scopeToObserve {
            let desired = translation.desired
            let isRemovalUnconfirmed =
                unknown.virtualServers.contains { $0.family == rules.family && desired.virtualServers[$0] == nil }
                || unknown.addresses.contains { $0.family == rules.family && !desired.accepts($0) }
            if isRemovalUnconfirmed { return true }
        }
        return retries.failed.contains { failed in
            switch failed {
            case .deleteVirtualServer(let identity): identity.family == rules.family
            case .unbind(let address), .removeRoute(let address): address.family == rules.family
            default: false
            }
        }
    }

    /// Handles the result of `Task.observeRules`.
    public mutating func rulesObserved(_ result: Result<ObservedRules, any Error>, _ family: IPFamily, at now: Timestamp) {
        let part = RulesQueue.Part.inUse(family)
        guard case .observation(let reason)? = ruleQueues[part]?.running else { return }
        ruleQueues[part]?.running = nil
        beginSync(at: now)
        if reason == .announced { outcome?.announced[.rules, default: 0] += 1 }
        switch result {
        case .failure(let error):
            guard reason != .needed else {
                ruleQueues[part]?.isKnown = false
                return recordReadFailure(.rules(family), error, at: now)
            }
            outcome?.observationFailures.append(audit.failRules(family, error))
            if reason == .announced { announcedChanges.schedule(.rules(family), at: now) }
        case .success(var observed):
            recordRead(.rules(family))
            audit.readRules(family, cost: reason == .audit ? observed.cost : .zero, at: now)
            droppedPackets[family] = observed.dropped
            ruleQueues[part]?.isKnown = true
            if reason != .needed {
                // Rules of other proxy modes that appear while this program runs belong to a running proxy, which would restore them.
                observed.leftovers = reconciler.mirror.leftovers[family]
                guard observed.rules != reconciler.mirror.rules[family] else { return }
                drift.insert(.rules(family))
            }
            reconciler.merge(observed, family)
            // It was planned from the rules observed before.
            ruleQueues[part]?.planned = nil
            shouldPlanDeferred = true
        }
    }

    /// Handles the result of `Task.observeOtherBackends`.
    public mutating func otherBackendsObserved(_ result: Result<[BackendRules], any Error>, _ family: IPFamily, at now: Timestamp) {
        let part = RulesQueue.Part.inOtherBackends(family)
        guard case .observation? = ruleQueues[part]?.running else { return }
        ruleQueues[part]?.running = nil
        beginSync(at: now)
        switch result {
        case .failure(let error):
            ruleQueues[part]?.isKnown = false
            recordReadFailure(.rulesInOtherBackends(family), error, at: now)
        case .success(let observed):
            recordRead(.rulesInOtherBackends(family))
            ruleQueues[part]?.isKnown = true
            reconciler.merge(observed, family)
        }
    }

    /// Handles the result of `Task.applyRules`.
    public mutating func rulesApplied(_ operation: Operation, _ result: Result<[Rules.Chain: UInt64], any Error>, at now: Timestamp) {
        guard let part = operation.partOfRules, case .operation(operation)? = ruleQueues[part]?.running else { return }
        // An operation planned meanwhile was planned from the rules before this operation.
        ruleQueues[part]?.running = nil
        ruleQueues[part]?.planned = nil
        beginSync(at: now)
        let family = part.family
        switch result {
        case .success(let dropped):
            if !dropped.isEmpty { droppedPackets[family] = dropped }
            outcome?.operations.append(operation)
            if case .removeRules(let rules) = operation {
                notices.append(Announcer.notice(ofMoved: rules, to: translation.settings.packetFilter))
            }
            retries.remove(operation.key)
            reconciler.recordSuccess([operation], desired: translation.desired)
            recordRepairs([operation])
            reconciler.markForPlanning(.only(.init(rules: [family])))
            shouldPlanDeferred = true
        case .failure(let error):
            record(OperationFailure(operation, reason: "\(error)"), at: now)
            // It may have changed some of the tables.
            ruleQueues[part]?.isKnown = false
        }
    }

    /// Handles the result of `Task.audit`.
    public mutating func audited(_ slice: Audit.Slice, _ comparison: Comparison, at now: Timestamp) {
        guard audit.running == slice else { return }
        switch comparison.findings {
        case .failure(let error):
            beginSync(at: now)
            outcome?.observationFailures.append(audit.fail(slice, error, cost: comparison.cost))
        case .success(let found):
            // They are read again here, as the audit may have read them before their last change.
            if slice == .device, found.nodeAddresses != localAddresses { addressesAreStale = true }
            let findings = updateAudit(at: now) { $0.end(found, cost: comparison.cost) }
            var suspected = findings.mismatches
            // The virtual server itself may be missing.
            suspected.virtualServers.formUnion(suspected.realServers)
            suspected.realServers = []
            let ownership = Ownership(observed: reconciler.mirror, localAddresses: localAddresses, excluded: settings.excludedCIDRs)
            for server in findings.unexpected
            where translation.desired.virtualServers[server.identity] != nil || ownership.isOurs(server) {
                suspected.virtualServers.insert(server.identity)
            }
            guard !suspected.isEmpty else { return }
            beginSync(at: now)
            suspectedDrift.formUnion(suspected)
            reconciler.invalidate(.only(suspected))
        }
    }

    /// Updates the audit, and begins a sync if that ends a failure, so that the status without it is published.
    private mutating func updateAudit<Result>(at now: Timestamp, _ update: (inout Audit) -> Result) -> Result {
        let before = audit.failures.count
        let result = update(&audit)
        if audit.failures.count < before { beginSync(at: now) }
        return result
    }
}
