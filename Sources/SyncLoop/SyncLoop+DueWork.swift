internal import Kubernetes
internal import Model
internal import Reconciler
internal import Translation

/// Work that is due: changes, retries and polls.
extension SyncLoop {
    /// Begins due work: changes, retries and polls.
    ///
    /// - Returns: whether any work was due.
    mutating func startDueWork(at now: Timestamp) -> Bool {
        var isDue = false
        if let due = minSyncPeriod.due, due <= now {
            translate(at: now)
            isDue = true
        }
        let failed = retries.release(at: now)
        for entry in failed {
            var scope = entry.operation.scope
            // Rules are observed by tasks, and conntrack entries are not observed.
            reconciler.markForPlanning(.only(.init(rules: scope.rules, flows: scope.flows)))
            (scope.rules, scope.flows) = ([], [])
            // The kernel does not hold what it refused, so no observation is needed.
            if entry.isRefusal { reconciler.markForPlanning(.only(scope)) } else { reconciler.invalidate(.only(scope)) }
        }
        if !failed.isEmpty { isDue = true }
        if let due = nextPoll, due <= now {
            reconciler.pollDrainsAndSlowStarts()
            suspectedDrift.realServers.formUnion(reconciler.draining)
            (nextPoll, pollStart, pollDuration) = (nil, reconciler.draining.isEmpty ? nil : now, reconciler.draining.isEmpty ? .zero : nil)
            isDue = true
        }
        if isDue { beginSync(at: now) }
        clearReadFailures(at: now)
        return isDue
    }

    /// Removes read failures whose retry was due and that were not read again, because the state is no longer needed.
    mutating func clearReadFailures(at now: Timestamp) {
        guard !unreadable.isEmpty else { return }
        unreadable = unreadable.filter { part, entry in
            switch part {
            case .rules(let family) where ruleQueues[.inUse(family)]?.isKnown == false: return true
            case .rulesInOtherBackends(let family) where ruleQueues[.inOtherBackends(family)]?.isKnown == false: return true
            default: break
            }
            return entry.notBefore > now || part == .nodeAddresses && addressesAreStale
        }
    }

    /// Returns the earliest time at which work is due; nil if there is none.
    mutating func nextDue(at now: Timestamp) -> Timestamp? {
        var due = [minSyncPeriod.due, retries.nextDue(), nextPoll, audit.running == nil ? audit.due : nil, announcedChanges.nextDue]
            .compactMap(\.self)
        due += unreadable.values.filter { $0.notBefore > now }.map(\.notBefore)
        return due.min()
    }

    /// Updates the desired state with all pending changes, and marks the changed scope for planning.
    mutating func translate(at now: Timestamp) {
        beginSync(at: now)
        let scope = translation.update(cluster.popDirtyServices(), of: cluster, nodeAddresses)
        // The first translation is of what the other program has programmed already.
        if !isStandby { reconciler.markForPlanning(scope) } else if isTranslated { recentChanges.add(scope, at: now) }
        outcome?.includesChanges = true
        outcome?.translated.formUnion(translation.popTranslatedServices())
        outcome?.changed.formUnion(scope)
        pendingChanges = PendingChanges()
        latency.beginProgramming()
        minSyncPeriod.syncBegan()
        isTranslated = true
        if suspendsRemovals, !isIncomplete {
            suspendsRemovals = false
            reconciler.markForPlanning(.everything)
        }
    }
}
