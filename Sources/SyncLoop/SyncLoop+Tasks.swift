internal import Kubernetes
public import Model
public import Reconciler
internal import Translation

/// What runs beside the other steps: rules, and audits.
extension SyncLoop {
    mutating func nextTask(at now: Timestamp) -> Task? {
        for family in IPFamily.allCases {
            guard let queue = ruleQueues[family], queue.running == nil else { continue }
            if !queue.isKnown {
                guard isReadable(.rules(family), at: now) else { continue }
                ruleQueues[family]?.running = .observation(isAudit: false)
                return .observeRules(family)
            }
            guard let operation = queue.wanted else { continue }
            ruleQueues[family]?.wanted = nil
            guard unmet.dependency(of: operation) == nil, !isNeeded(operation) else {
                postpone(operation)
                continue
            }
            ruleQueues[family]?.running = .operation(operation)
            return .applyRules(operation, family)
        }
        guard let slice = audit.next(reconciler.mirror, at: now) else { return nil }
        guard case .rules(let family) = slice else { return .audit(slice, AuditBaseline(slice, reconciler.mirror)) }
        // A listing that hangs must not hold up the other slices.
        _ = audit.end(.init())
        // Where rules are being changed or are not known they are observed anyway.
        guard ruleQueues[family]?.running == nil, ruleQueues[family]?.isKnown == true else { return nextTask(at: now) }
        ruleQueues[family]?.running = .observation(isAudit: true)
        return .observeRules(family)
    }

    /// Whether rules are still needed that an operation takes away: what they restrict could not be removed.
    func isNeeded(_ operation: Operation) -> Bool {
        guard case .restoreRules(let rules, let missingJumps) = operation, missingJumps.isEmpty else { return false }
        guard !rules.adds(to: reconciler.mirror.rules[rules.family] ?? Rules(rules.family)) else { return false }
        if case .only(let unknown) = reconciler.scopeToObserve {
            let desired = translation.desired
            let goes =
                unknown.virtualServers.contains { $0.family == rules.family && desired.virtualServers[$0] == nil }
                || unknown.addresses.contains { $0.family == rules.family && desired.addresses[$0] == nil }
            if goes { return true }
        }
        return retries.failed.contains { failed in
            switch failed {
            case .deleteVirtualServer(let identity): identity.family == rules.family
            case .unbind(let address): address.family == rules.family
            default: false
            }
        }
    }

    public mutating func rulesObserved(_ result: Result<ObservedRules, any Error>, _ family: IPFamily, at now: Timestamp) {
        guard case .observation(let isAudit)? = ruleQueues[family]?.running else { return }
        ruleQueues[family]?.running = nil
        begin(at: now)
        switch result {
        case .failure(let error): noteUnreadable(.rules(family), error, isOfAudit: isAudit, at: now)
        case .success(var observed):
            noteRead(.rules(family))
            auditFailures[.rules(family)] = nil
            droppedPackets[family] = observed.dropped
            ruleQueues[family]?.isKnown = true
            if isAudit {
                // Who brings back what other modes left while we run is at work, and fighting that would help nobody.
                observed.leftovers = reconciler.mirror.leftovers[family]
                guard observed.rules != reconciler.mirror.rules[family] else { return }
                drift.insert(.rules(family))
            }
            reconciler.adopt(observed, family)
            // It was planned from what was known before.
            ruleQueues[family]?.wanted = nil
            isUnblocked = true
        }
    }

    public mutating func rulesApplied(_ result: Result<[Rules.Chain: UInt64], any Error>, at now: Timestamp, _ family: IPFamily) {
        guard case .operation(let operation)? = ruleQueues[family]?.running else { return }
        // What was wanted was planned from what was known before.
        ruleQueues[family]?.running = nil
        ruleQueues[family]?.wanted = nil
        begin(at: now)
        switch result {
        case .success(let dropped):
            if !dropped.isEmpty { droppedPackets[family] = dropped }
            outcome?.operations.append(operation)
            retries.remove(operation.key)
            reconciler.finish([operation], desired: translation.desired)
            noteRepairs([operation])
            reconciler.planAgain(.only(.init(rules: [family])))
            isUnblocked = true
        case .failure(let error):
            note(OperationFailure(operation, reason: "\(error)"), at: now)
            // It may have changed one table and not the other.
            ruleQueues[family]?.isKnown = false
        }
    }

    public mutating func audited(_ slice: Audit.Slice, _ result: Result<Audit.Findings, any Error>, at now: Timestamp) {
        guard audit.running == slice else { return }
        switch result {
        case .failure(let error):
            begin(at: now)
            noteUnreadable(SyncLoop.part(slice.scope), error, isOfAudit: true, at: now)
            audit.fail()
        case .success(let found):
            if auditFailures.removeValue(forKey: SyncLoop.part(slice.scope)) != nil { begin(at: now) }
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
}
