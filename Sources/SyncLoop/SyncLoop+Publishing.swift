internal import FoundationEssentials
internal import Kubernetes
internal import Model
internal import Reconciler
internal import Translation

/// The end of a sync: its outcome and the status.
extension SyncLoop {
    /// Ends the sync and returns the step that publishes it.
    mutating func publish(_ finished: SyncOutcome, at now: Timestamp, wall: Date) -> Step {
        var outcome = finished
        outcome.duration = activeSince?.duration(to: now) ?? .zero
        outcome.recovered = outcome.failures.filter { retries.entries[$0.operation.key] == nil }
        outcome.failures.removeAll { retries.entries[$0.operation.key] == nil }
        updateRefusedEndpoints(&outcome)
        if !outcome.translated.isEmpty {
            refusedAddresses =
                refusedEndpoints.isEmpty
                ? translation.refusedAddresses : translation.refusedAddresses.merging(refusedEndpoints) { $0.union($1) }
        }
        let status = status
        outcome.latencies = latency.settle(at: wall, except: status.pendingServices)
        if outcome.includesChanges { minSyncPeriod.syncEnded(at: now) }
        (self.outcome, activeSince, isPublishedEarly) = (nil, nil, false)
        isPaced = isPaced || status.familiesWithoutRules != families
        if let duration = pollDuration {
            pollDuration = nil
            // Polls may take at most a twentieth of the time.
            nextPoll = now.advanced(by: max(.seconds(1), duration * 20))
        }
        let isPolling = status.drainingServers > 0 || reconciler.hasSlowStarts
        nextPoll = isPolling ? nextPoll ?? now.advanced(by: .seconds(1)) : nil
        return .publish(outcome, status)
    }

    /// Updates the endpoints that the kernel refuses as real servers, with the EndpointSlices that contain them.
    mutating func updateRefusedEndpoints(_ outcome: inout SyncOutcome) {
        guard retries.refusalGeneration != refusalGeneration || !(refusedEndpoints.isEmpty || outcome.translated.isEmpty) else { return }
        refusalGeneration = retries.refusalGeneration
        var addresses: [NamespacedName: Set<IPAddress>] = [:]
        for case .addRealServer(let identity, let server) in retries.entries.values.filter(\.isRefusal).map(\.operation) {
            guard let service = translation.desired.virtualServers[identity]?.origin?.service else { continue }
            addresses[service, default: []].insert(server.location.address)
        }
        outcome.translated.formUnion(Set(addresses.keys).union(refusedEndpoints.keys))
        refusedEndpoints = [:]
        for (service, refused) in addresses {
            for slice in cluster.slices[service]?.all ?? [] {
                for address in slice.endpoints.lazy.compactMap(\.address)
                where refused.contains(address) {
                    refusedEndpoints[service, default: []].insert(
                        ServiceRefusal(.endpoint(slice: slice.metadata.namespacedName), address, .kernel))
                }
            }
        }
    }

    /// The current status.
    public var status: ProxyStatus {
        var status = ProxyStatus(families: translation.settings.families)
        status.serviceCount = cluster.services.count
        status.virtualServerCount = translation.desired.virtualServers.count
        status.node = node
        status.healthChecks = translation.healthChecks
        status.healthCheckAddresses = translation.healthCheckAddresses
        status.noLocalEndpoints = translation.noLocalEndpoints
        status.refusedAddresses = refusedAddresses
        status.conflicts = translation.conflicts
        status.invalidAnnotations = translation.invalidAnnotations
        status.drainingServers = reconciler.drainingServerCount
        status.droppedPackets = DroppedPackets.counts(droppedPackets)
        status.failing = retries.entries
        status.unreadable = audit.failures.byPart.merging(unreadable.mapValues(\.failure)) { $1 }
        status.familiesWithoutRules = familiesWithoutRules
        status.pendingServices = deferredServices.union(status.failures.compactMap { $0.origin?.service })
        for paused in paused { status.pendingServices.formUnion(paused.subjects?.services ?? []) }
        status.pendingChanges = pendingChanges
        status.isInSync =
            addressesAreKnown && !minSyncPeriod.isSyncRequested && status.unreadable.isEmpty && deferred.isEmpty && paused.isEmpty
            && reconciler.scopeToObserve.isEmpty
            && !reconciler.needsPlanning && status.familiesWithoutRules.isEmpty
            && ruleQueues.values.allSatisfy { $0.isKnown && !$0.isChanging }
            && !status.failing.values.contains { !$0.isRefusal }
        return status
    }

    /// Whether no rules are being observed or changed and no operations are paused.
    public var isIdle: Bool { paused.isEmpty && ruleQueues.values.allSatisfy { $0.running == nil } }
}
