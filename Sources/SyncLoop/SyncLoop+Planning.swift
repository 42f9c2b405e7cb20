internal import Kubernetes
public import Model
public import Reconciler
internal import Translation

/// What is changed in the kernel, and what waits.
extension SyncLoop {
    /// Families whose rules do not protect yet what is to be served.
    var familiesWithoutRules: Set<IPFamily> {
        var families: Set<IPFamily> = []
        for (family, queue) in ruleQueues {
            guard let desired = translation.desired.rules[family] else { continue }
            var isProtected = queue.isKnown && !desired.adds(to: reconciler.mirror.rules[family] ?? Rules(family))
            // What is being restored was planned for what was desired then, and may take away what is needed again.
            if case .operation(.restoreRules(let rules, _))? = queue.running, desired.adds(to: rules) { isProtected = false }
            if !isProtected { families.insert(family) }
        }
        return families
    }

    mutating func makePlan(at now: Timestamp) {
        begin(at: now)
        let (plan, scope, flows) = reconciler.takePlan(for: translation.desired, at: now, suspendsRemovals: suspendsRemovals)
        if retries.removeResolved(in: scope, flows, plan.operations) { isUnblocked = true }
        if !drift.isEmpty { drift.formIntersection(plan.operations.map(\.subject)) }
        for family in ruleQueues.keys where scope.hasRules(family) { ruleQueues[family]?.wanted = nil }
        var operations: [Operation] = []
        var familiesPlanned: Set<IPFamily> = []
        for operation in plan.operations {
            if let family = operation.familyOfRules {
                // One at a time, in order: what comes next is planned when it is done.
                guard familiesPlanned.insert(family).inserted, !retries.isWaitingToRetry(operation) else { continue }
                ruleQueues[family]?.wanted = operation
            } else if !retries.isWaitingToRetry(operation) {
                operations.append(operation)
            }
        }
        // Members that wait are as unknown as those that could not be read.
        var unknown = reconciler.scopeToObserve
        unknown.formUnion(.only(.init(members: deferred.members)))
        // What failed and is tried again now comes before what depends on it.
        let failed = retries.entries
        let tried = failed.isEmpty ? [] : Set(operations.map(\.key).filter { failed[$0] != nil })
        unmet = UnmetDependencies(
            failed: retries.failed.filter { !tried.contains($0.key) }, rules: familiesWithoutRules,
            unknown: unknown)
        rest = operations[...]
    }

    /// Waits for what it depends on, without being sent or logged.
    mutating func postpone(_ operation: Operation) {
        unmet.add(operation)
        deferred.formUnion(operation.scope)
        if let service = reconciler.origin(of: operation, desired: translation.desired)?.service { deferredServices.insert(service) }
    }

    mutating func planDeferred() {
        isUnblocked = false
        guard !deferred.isEmpty else { return }
        reconciler.planAgain(.only(deferred))
        (deferred, deferredServices) = (.init(), [])
    }

    /// Operations of one layer, which can be sent together. What failed before is sent alone: what follows may depend on it.
    func nextCandidates(_ first: Operation) -> ArraySlice<Operation> {
        func standsAlone(_ operation: Operation) -> Bool { operation.standsAlone || retries.entries[operation.key] != nil }
        return standsAlone(first) ? rest.prefix(1) : rest.prefix { $0.layer == first.layer && !standsAlone($0) }
    }

    /// The next operations of one layer that wait for nothing.
    mutating func nextRun(at now: Timestamp) -> [Operation]? {
        while let first = rest.first {
            let candidates = nextCandidates(first)
            rest = rest.dropFirst(candidates.count)
            var run: [Operation] = []
            for operation in candidates {
                if unmet.dependency(of: operation) == nil { run.append(operation) } else { postpone(operation) }
            }
            if !run.isEmpty { return run }
        }
        return nil
    }

    public mutating func applied(_ operations: [Operation], _ report: Report, at now: Timestamp) {
        begin(at: now)
        audit.touch(operations)
        var failures = Dictionary(report.failures.map { ($0.operation, $0) }, uniquingKeysWith: { first, _ in first })
        var failed = UnmetDependencies(failed: [])
        var done: [Operation] = []
        for operation in operations {
            guard let failure = failures.removeValue(forKey: operation) else {
                done.append(operation)
                outcome?.operations.append(operation)
                isUnblocked = retries.remove(operation.key) || isUnblocked
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
    }

    mutating func note(_ failure: OperationFailure, at now: Timestamp) {
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

    mutating func noteRepairs(_ done: [Operation]) {
        guard !drift.isEmpty else { return }
        let repairs = done.filter { drift.contains($0.subject) && $0.kind != .flushConntrack }
        outcome?.repairs += repairs
        drift.subtract(repairs.map(\.subject))
    }
}

extension Scope {
    fileprivate func hasRules(_ family: IPFamily) -> Bool {
        guard case .only(let selection) = self else { return true }
        return selection.rules.contains(family)
    }
}

extension Operation {
    fileprivate var familyOfRules: IPFamily? { layer == .rules ? scope.rules.first : nil }
}
