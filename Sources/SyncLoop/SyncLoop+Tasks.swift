internal import Kubernetes
public import Model
public import Reconciler
internal import Translation

/// Tasks that run concurrently with the other steps: observing and changing rules, and audits.
extension SyncLoop {
    /// Returns the next task to start; nil if there is none.
    mutating func nextTask(at now: Timestamp) -> Task? {
        for family in IPFamily.allCases {
            guard let queue = ruleQueues[family], queue.running == nil else { continue }
            if !queue.isKnown {
                guard isReadable(.rules(family), at: now) else { continue }
                ruleQueues[family]?.running = .observation(isAudit: false)
                return .observeRules(family)
            }
            guard let operation = queue.planned else { continue }
            ruleQueues[family]?.planned = nil
            guard unmetDependencies.dependency(of: operation) == nil, !removesRequiredRules(operation) else {
                addToDeferred(operation)
                continue
            }
            ruleQueues[family]?.running = .operation(operation)
            return .applyRules(operation, family)
        }
        guard let slice = audit.next(reconciler.mirror, at: now) else { return nil }
        guard case .rules(let family) = slice else { return .audit(slice, AuditBaseline(slice, reconciler.mirror)) }
        // The slice ends here, so that a rules listing that hangs does not block the other slices.
        _ = audit.end(.init())
        // Rules that are being changed or are not known are observed anyway.
        guard ruleQueues[family]?.running == nil, ruleQueues[family]?.isKnown == true else { return nextTask(at: now) }
        ruleQueues[family]?.running = .observation(isAudit: true)
        return .observeRules(family)
    }

    /// Whether an operation removes rules that are still required, because an address or virtual server that they restrict has not been
    /// removed yet.
    func removesRequiredRules(_ operation: Operation) -> Bool {
        guard case .restoreRules(let rules, let missingJumps) = operation, missingJumps.isEmpty else { return false }
        guard !rules.adds(to: reconciler.mirror.rules[rules.family] ?? Rules(rules.family)) else { return false }
        if case .only(let unknown) = reconciler.scopeToObserve {
            let desired = translation.desired
            let isRemovalUnconfirmed =
                unknown.virtualServers.contains { $0.family == rules.family && desired.virtualServers[$0] == nil }
                || unknown.addresses.contains { $0.family == rules.family && desired.addresses[$0] == nil }
            if isRemovalUnconfirmed { return true }
        }
        return retries.failed.contains { failed in
            switch failed {
            case .deleteVirtualServer(let identity): identity.family == rules.family
            case .unbind(let address): address.family == rules.family
            default: false
            }
        }
    }

    /// Handles the result of `Task.observeRules`.
    public mutating func rulesObserved(_ result: Result<ObservedRules, any Error>, _ family: IPFamily, at now: Timestamp) {
        guard case .observation(let isAudit)? = ruleQueues[family]?.running else { return }
        ruleQueues[family]?.running = nil
        beginSync(at: now)
        switch result {
        case .failure(let error): recordReadFailure(.rules(family), error, isOfAudit: isAudit, at: now)
        case .success(var observed):
            recordRead(.rules(family))
            auditFailures[.rules(family)] = nil
            droppedPackets[family] = observed.dropped
            ruleQueues[family]?.isKnown = true
            if isAudit {
                // Rules of other proxy modes that appear while this program runs belong to a running proxy, which would restore them.
                observed.leftovers = reconciler.mirror.leftovers[family]
                guard observed.rules != reconciler.mirror.rules[family] else { return }
                drift.insert(.rules(family))
            }
            reconciler.merge(observed, family)
            // It was planned from the rules observed before.
            ruleQueues[family]?.planned = nil
            shouldPlanDeferred = true
        }
    }

    /// Handles the result of `Task.applyRules`.
    public mutating func rulesApplied(_ result: Result<[Rules.Chain: UInt64], any Error>, at now: Timestamp, _ family: IPFamily) {
        guard case .operation(let operation)? = ruleQueues[family]?.running else { return }
        // An operation planned meanwhile was planned from the rules before this operation.
        ruleQueues[family]?.running = nil
        ruleQueues[family]?.planned = nil
        beginSync(at: now)
        switch result {
        case .success(let dropped):
            if !dropped.isEmpty { droppedPackets[family] = dropped }
            outcome?.operations.append(operation)
            retries.remove(operation.key)
            reconciler.recordSuccess([operation], desired: translation.desired)
            recordRepairs([operation])
            reconciler.markForPlanning(.only(.init(rules: [family])))
            shouldPlanDeferred = true
        case .failure(let error):
            record(OperationFailure(operation, reason: "\(error)"), at: now)
            // It may have changed some of the tables.
            ruleQueues[family]?.isKnown = false
        }
    }

    /// Handles the result of `Task.audit`.
    public mutating func audited(_ slice: Audit.Slice, _ result: Result<Audit.Findings, any Error>, at now: Timestamp) {
        guard audit.running == slice else { return }
        switch result {
        case .failure(let error):
            beginSync(at: now)
            recordReadFailure(SyncLoop.part(slice.scope), error, isOfAudit: true, at: now)
            audit.fail()
        case .success(let found):
            if auditFailures.removeValue(forKey: SyncLoop.part(slice.scope)) != nil { beginSync(at: now) }
            if slice == .device { addressesAreStale = true }
            let findings = audit.end(found)
            var suspected = findings.mismatches
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
}
