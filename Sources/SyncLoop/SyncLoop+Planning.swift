internal import Kubernetes
public import Model
public import Reconciler
internal import Translation

/// Plans, the operations to apply next, and the operations that are deferred.
extension SyncLoop {
    /// Families whose rules are not known or do not yet protect the desired state.
    var familiesWithoutRules: Set<IPFamily> {
        var families: Set<IPFamily> = []
        for family in self.families {
            guard let queue = ruleQueues[.inUse(family)], let desired = translation.desired.rules[family] else { continue }
            var isProtected = queue.isKnown && !desired.adds(to: reconciler.mirror.rules[family] ?? Rules(family))
            // The running restore was planned for an earlier desired state, and may remove rules that are needed again.
            if case .operation(.restoreRules(let rules, _))? = queue.running, desired.adds(to: rules) { isProtected = false }
            if !isProtected { families.insert(family) }
        }
        return families
    }

    /// Makes the next plan. Rules operations go to the queues of their parts, the others are applied next or paused;
    /// operations that wait for a retry are dropped.
    mutating func makePlan(at now: Timestamp) {
        beginSync(at: now)
        planConflictingPausedOperations()
        let (plan, scope, flows) = reconciler.nextPlan(for: translation.desired, at: now, suspendsRemovals: suspendsRemovals)
        if let uncertain = retries.removeResolved(in: scope, flows, plan.operations) {
            shouldPlanDeferred = true
            for operation in uncertain { observe(operation) }
        }
        plansBeforeObserving = false
        supersedePausedOperations(in: scope)
        // Paused operations may repair some of it.
        if !drift.isEmpty, paused.isEmpty { drift.formIntersection(plan.operations.map(\.subject)) }
        for part in ruleQueues.keys where scope.hasRules(part.family) { ruleQueues[part]?.planned = nil }
        var operations: [Operation] = []
        var partsPlanned: Set<RulesQueue.Part> = []
        for operation in plan.operations {
            if let part = operation.partOfRules {
                // One operation at a time, in order: the next one is planned when this one has succeeded.
                guard partsPlanned.insert(part).inserted, !retries.isWaitingToRetry(operation) else { continue }
                ruleQueues[part]?.planned = operation
            } else if !retries.isWaitingToRetry(operation) {
                operations.append(operation)
            }
        }
        if !drift.isEmpty {
            // Repairs first: they restore what served before, so that they wait for nothing else.
            let repairs = operations.filter { drift.contains($0.subject) }
            if !repairs.isEmpty, repairs.count < operations.count {
                operations = repairs + operations.filter { !drift.contains($0.subject) }
            }
        }
        // Deferred members block the same operations as members that could not be read.
        var unknown = reconciler.scopeToObserve
        unknown.formUnion(.only(.init(members: deferred.members)))
        // Operations that are retried by this plan block none: the plan's order puts them before their dependents, and `applied` blocks
        // those if they fail again.
        let failed = retries.entries
        let retried = failed.isEmpty ? [] : Set(operations.map(\.key).filter { failed[$0] != nil })
        var unmetDependencies = UnmetDependencies(
            failed: retries.failed.filter { !retried.contains($0.key) }, rules: familiesWithoutRules,
            unknown: unknown)
        for operation in deferredWhilePaused { unmetDependencies.add(operation) }
        begin(operations, unmetDependencies)
    }

    /// Defers an operation that has an unmet dependency. It is neither applied nor reported.
    mutating func addToDeferred(_ operation: Operation) {
        addUnmetDependency(operation)
        if !paused.isEmpty, !operation.isOfRealServer { deferredWhilePaused.append(operation) }
        operation.addScope(to: &deferred)
        if let service = reconciler.origin(of: operation, desired: translation.desired)?.service { deferredServices.insert(service) }
    }

    /// Marks the deferred operations for planning.
    mutating func planDeferred() {
        shouldPlanDeferred = false
        deferredWhilePaused = []
        if !paused.isEmpty { isDependencyMetWhilePaused = true }
        guard !deferred.isEmpty else { return }
        reconciler.markForPlanning(.only(deferred))
        (deferred, deferredServices) = (.init(), [])
    }

    /// Returns the operations that can share a batch with the first one: those of the same layer that follow it directly, up to the limit of
    /// a step.
    ///
    /// An operation that failed before gets a batch of its own, because the operations after it may depend on it.
    func nextCandidates(_ first: Operation) -> ArraySlice<Operation> {
        let failed = retries.entries
        func hasFailed(_ operation: Operation) -> Bool { !failed.isEmpty && failed[operation.key] != nil }
        let limit = isPaced ? pace.limit(first.layer) : .max
        let rest = current.operations.prefix(limit).dropFirst().prefix {
            $0.canShareBatch(with: first) && !hasFailed($0) && !hasFailed(first)
        }
        return current.operations.prefix(1 + rest.count)
    }

    /// Removes and returns the next operations that can be applied in one step, and defers those with unmet dependencies; nil if none
    /// remain or if the rest is paused.
    mutating func nextBatch(at now: Timestamp) -> [Operation]? {
        while let first = current.operations.first {
            if isPaced, turnCost >= pace.turn {
                pause()
                return nil
            }
            let candidates = nextCandidates(first)
            current.operations = current.operations.dropFirst(candidates.count)
            var batch: [Operation] = []
            for operation in candidates {
                if current.isSuperseded(operation) {
                    planFlushAgain(operation)
                } else if current.unmetDependencies.dependency(of: operation) == nil {
                    batch.append(operation)
                } else {
                    addToDeferred(operation)
                }
            }
            guard !batch.isEmpty else { continue }
            turnCost += pace.cost(first.layer) * batch.count
            pace.begin(first.layer, batch.count, at: now)
            return batch
        }
        return nil
    }

    /// Handles the result of `Step.apply`.
    public mutating func applied(_ operations: [Operation], _ report: Report, at now: Timestamp) {
        beginSync(at: now)
        pace.end(at: now)
        audit.recordChanges(operations)
        var failures = Dictionary(report.failures.map { ($0.operation, $0) }, uniquingKeysWith: { first, _ in first })
        var failed = UnmetDependencies(failed: [])
        var done: [Operation] = []
        for operation in operations {
            guard !failures.isEmpty, let failure = failures.removeValue(forKey: operation) else {
                done.append(operation)
                outcome?.operations.append(operation)
                shouldPlanDeferred = retries.remove(operation.key) || shouldPlanDeferred
                continue
            }
            if failed.dependency(of: operation) != nil {
                // It failed because an operation before it in the same batch failed.
                addToDeferred(operation)
                continue
            }
            failed.add(operation)
            record(failure, at: now)
        }
        reconciler.recordSuccess(done, desired: translation.desired)
        outcome?.conntrackFlushes.merge(report.conntrackFlushes, uniquingKeysWith: +)
        recordRepairs(done)
    }

    /// Records the failure of an operation and schedules its retry.
    mutating func record(_ failure: OperationFailure, at now: Timestamp) {
        outcome?.operations.append(failure.operation)
        let origin = reconciler.origin(of: failure.operation, desired: translation.desired)
        let attempts = retries.record(failure, origin: origin, at: now)
        guard !failure.isRefusal else {
            outcome?.refusals.append(failure)
            return
        }
        if case .addVirtualServer(let server) = failure.operation { uncertainAdditions.insert(server.identity) }
        outcome?.failures.append(failure)
        addUnmetDependency(failure.operation)
        // Most failures come from a mirror that is out of date. After the first failure the kernel is therefore observed and planned again
        // at once. If the plan contains the same operation, it still waits for its retry.
        guard attempts == 1 else {
            // Old rules no longer wait for it: see `needsOldRules`.
            if attempts == 2 { shouldPlanDeferred = true }
            return
        }
        observe(failure.operation)
    }

    /// Lets the part of the kernel state be observed that an operation changes. Rules are observed by tasks.
    private mutating func observe(_ operation: Operation) {
        var scope = operation.scope
        (scope.rules, scope.flows) = ([], [])
        reconciler.invalidate(.only(scope))
    }

    /// Records the operations that repaired external changes.
    mutating func recordRepairs(_ done: [Operation]) {
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
