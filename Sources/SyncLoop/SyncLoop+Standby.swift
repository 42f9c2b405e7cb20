public import FoundationEssentials
internal import Kubernetes
public import Model
internal import Reconciler
internal import Translation

/// A standby follows the cluster and has observed the kernel, but plans and changes nothing, because another program does.
extension SyncLoop {
    /// Whether the first sync of this instance can begin without waiting for the source or for a complete observation.
    public var isReadyToTakeOver: Bool {
        if case .everything = reconciler.scopeToObserve { return false }
        return isListed && nodeWait == nil && isTranslated && addressesAreKnown
    }

    /// Returns the next step of a standby: read the node's addresses, test schedulers, translate, observe once, wait.
    mutating func nextAsStandby(at now: Timestamp) -> Step {
        takeAnnouncementsAsStandby(at: now)
        if addressesAreStale, isReadable(.nodeAddresses, at: now) {
            addressesAreStale = false
            return .readAddresses
        }
        guard addressesAreKnown else { return .wait(until: unreadable[.nodeAddresses]?.notBefore) }
        if let schedulers = schedulerDemand.next { return .testSchedulers(schedulers) }
        if !isTranslated || minSyncPeriod.due.map({ $0 <= now }) ?? false {
            translate(at: now)
            minSyncPeriod.syncEnded(at: now)
        }
        // Only observations: nothing is planned.
        if let task = nextTask(at: now) { return .start(task) }
        if case .everything = reconciler.scopeToObserve, isReadable(.everything, at: now) {
            isObserving = true
            return .observe(.everything)
        }
        let retries = unreadable.values.map(\.notBefore).filter { $0 > now }
        return .wait(until: ([minSyncPeriod.due, announcedChanges.nextDue].compactMap(\.self) + retries).min())
    }

    /// Begins to change the kernel: the program that did has ended.
    ///
    /// What the standby observed is out of date, as the other program went on changing the kernel. The scope of recent changes is therefore
    /// observed and planned first, in a time that does not depend on the size of the cluster; then everything, in the same sync. Rules are
    /// observed beside both.
    ///
    /// - Parameter wall: the time of day. Latencies of earlier changes are not counted.
    public mutating func takeOver(at now: Timestamp, wall: Date) {
        guard isStandby else { return }
        // The latest changes are the most likely to be missing in the kernel.
        if isReadyToTakeOver, minSyncPeriod.isSyncRequested { translate(at: now) }
        isStandby = false
        latency = ProgrammingLatency(since: wall)
        outcome?.observationFailures = []
        if outcome != nil { activeSince = now }
        for part in ruleQueues.keys { ruleQueues[part]?.isOutdated = true }
        observationIsOutdated = isObserving
        // Both were compared with the state that this instance observed first.
        announcedChanges.forget { $0 != .nodeAddresses }
        audit.begin(at: now)
        let recent = recentChanges.scope(at: now)
        recentChanges = RecentChanges()
        if isReadyToTakeOver, case .only(let selection) = recent {
            // The other program may have added them, and nothing else may say that they are ours.
            uncertainAdditions.formUnion(
                selection.virtualServers.filter { server in !settings.excludedCIDRs.contains { $0.contains(server.location.address) } })
            reconciler.restart(with: selection)
            isVerificationDue = true
        } else {
            reconciler.invalidate(.everything)
        }
    }
}
