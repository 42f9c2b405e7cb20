internal import Kubernetes
internal import Logging
internal import Model
internal import Reconciler
internal import Translation

/// What operators are told: in the log and, of what concerns an object of theirs, by Events.
extension Synchronizer {
    func log(_ outcome: Outcome) {
        if logger.logLevel <= .debug {
            let failed = Set((outcome.failures + outcome.mended + outcome.refusals).map(\.operation))
            for operation in outcome.operations where !failed.contains(operation) {
                logger.debug("Applied", metadata: ["operation": "\(operation)"])
            }
        }
        for failure in outcome.mended.prefix(Synchronizer.loggedFailures) {
            logger.warning("An operation failed and was tried again", metadata: metadata(of: failure))
        }
        for failure in outcome.failures.prefix(Synchronizer.loggedFailures) {
            logger.error("An operation failed", metadata: metadata(of: failure))
        }
        if outcome.failures.count > Synchronizer.loggedFailures {
            logger.error("More operations failed", metadata: ["failures": "\(outcome.failures.count - Synchronizer.loggedFailures)"])
        }
        if let reason = outcome.observationFailure { logger.error("The kernel could not be read", metadata: ["error": "\(reason)"]) }
        tellOfRepairs(outcome)
        tellIfInStep(outcome)
        // What is refused again and again is told by itself, and once.
        guard outcome.operations.count > outcome.refusals.count else { return }
        var metadata: Logger.Metadata = ["milliseconds": "\(outcome.duration.wholeMilliseconds)", "failures": "\(outcome.failures.count)"]
        for (kind, count) in outcome.counts { metadata[kind.rawValue] = "\(count)" }
        if !outcome.refusals.isEmpty { metadata["refused"] = "\(outcome.refusals.count)" }
        if let slowest = outcome.latencies.max() {
            metadata["endpointChanges"] = "\(outcome.latencies.count)"
            metadata["slowestEndpointChangeMilliseconds"] = "\(slowest.wholeMilliseconds)"
        }
        let forgetting = outcome.forgetting.values.reduce(Report.Forgetting(), +)
        if forgetting.flows > 0 {
            metadata["forgottenFlows"] = "\(forgetting.flows)"
            metadata["forgettingMilliseconds"] = "\(forgetting.duration.wholeMilliseconds)"
        }
        logger.info("Synced", metadata: metadata)
    }

    private func tellOfRepairs(_ outcome: Outcome) {
        for operation in outcome.repairs.prefix(Synchronizer.loggedFailures) {
            logger.warning(
                "Something else changed the kernel; it is put right",
                metadata: ["operation": "\(operation)", "service": "\(origin(of: operation)?.description ?? "")"])
        }
        guard outcome.repairs.count > Synchronizer.loggedFailures else { return }
        logger.warning(
            "More of the kernel was changed and is put right",
            metadata: ["operations": "\(outcome.repairs.count - Synchronizer.loggedFailures)"])
    }

    private func metadata(of failure: Report.Failure) -> Logger.Metadata {
        [
            "operation": "\(failure.operation)", "service": "\(origin(of: failure.operation)?.description ?? "")",
            "error": "\(failure.reason)",
        ]
    }

    private func tellIfInStep(_ outcome: Outcome) {
        defer { isInStep = outcome.succeeded }
        guard outcome.succeeded, !isInStep else { return }
        logger.info("The kernel is in step", metadata: ["virtualServers": "\(translation.desired.virtualServers.count)"])
    }

    /// A failure of everything at once must not fill the log.
    private static let loggedFailures = 20

    /// Of Services that ask for what they cannot have.
    func tellOfClaims() {
        for (service, identities) in translation.conflicts where knownConflicts[service] != identities {
            for identity in identities.sorted() {
                logger.warning(
                    "Another Service has this address and port already; it stays with the older one",
                    metadata: ["service": "\(service)", "virtualServer": "\(identity)"])
            }
            let list = identities.sorted().map(\.description).joined(separator: " ")
            warn(service, "AddressConflict", "Another Service has this already, and being the older one keeps it: \(list)")
        }
        knownConflicts = translation.conflicts
        tellOfRefusals()
        tellOfInvalidAnnotations()
    }

    private func tellOfInvalidAnnotations() {
        let invalid = translation.invalidAnnotations
        for (service, annotations) in invalid where knownInvalidAnnotations[service] != annotations {
            let list = Synchronizer.list(annotations)
            logger.warning(
                "An annotation is not heeded; what holds without it is in force",
                metadata: ["service": "\(service)", "annotations": "\(list)"])
            warn(service, "InvalidAnnotation", "Not heeded: \(list)")
        }
        knownInvalidAnnotations = invalid
    }

    /// The first of them; there may be any number.
    private static func list(_ told: some Collection<some Comparable & CustomStringConvertible>) -> String {
        let listed = told.sorted().prefix(listedRefusals).map(\.description).joined(separator: "; ")
        return told.count > listedRefusals ? "\(listed); and \(told.count - listedRefusals) more" : listed
    }

    /// Of endpoints that the kernel would not have as real servers.
    func tellOfRefusedEndpoints() {
        let servers = reconciler.refused.locations
        guard servers != knownRefusedServers else { return }
        knownRefusedServers = servers
        var addresses: [NamespacedName: Set<IPAddress>] = [:]
        for (identity, locations) in servers {
            guard let service = translation.desired.virtualServers[identity]?.origin?.service else { continue }
            addresses[service, default: []].formUnion(locations.lazy.map(\.address))
        }
        refusedEndpoints = [:]
        for (service, refused) in addresses {
            for (slice, object) in cluster.slices[service] ?? [:] {
                for address in object.endpoints.lazy.compactMap({ $0.addresses.first.flatMap { IPAddress($0) } })
                where refused.contains(address) {
                    refusedEndpoints[service, default: []].insert(Refusal(.endpoint(slice: slice), address, .kernel))
                }
            }
        }
        tellOfRefusals()
    }

    /// What Services and their endpoints ask for that is not served, by our own judgement or the kernel's.
    var refusedClaims: [NamespacedName: Set<Refusal>] {
        refusedEndpoints.isEmpty ? translation.refusedClaims : translation.refusedClaims.merging(refusedEndpoints) { $0.union($1) }
    }

    private func tellOfRefusals() {
        let refused = refusedClaims
        for (service, refusals) in refused where knownRefusals[service] != refusals {
            let list = Synchronizer.list(refusals)
            logger.error(
                "What a Service asks for is not served; the rest of it is", metadata: ["service": "\(service)", "refused": "\(list)"])
            warn(service, "AddressRefused", "Not served: \(list)")
        }
        knownRefusals = refused
    }

    /// A Service may name as many addresses as it likes.
    private static let listedRefusals = 10

    private func warn(_ service: NamespacedName, _ reason: String, _ note: String) {
        events.record(
            ClusterEvent(.warning, reason: reason, action: "SyncService", regarding: .service(service), note: note))
    }

    /// Of this node's Node object, where it changes what is served.
    func tellOfNode(_ node: Node?) {
        let before = self.node
        guard let node else {
            if before != nil { logger.error("This node's Node object is gone; what it said last stays in force") }
            return
        }
        if let before, before.hostAddresses != node.hostAddresses {
            logger.warning(
                "This node's addresses changed", metadata: ["before": "\(before.hostAddresses)", "after": "\(node.hostAddresses)"])
        }
        if let before, before.podCIDRs != node.podCIDRs {
            logger.warning("This node's pod ranges changed", metadata: ["before": "\(before.podCIDRs)", "after": "\(node.podCIDRs)"])
        }
    }
}
