public import Kubernetes
public import Model
public import Reconciler
internal import Translation

/// Creates the log messages and Events of a sync, from its outcome and the status before and after it.
public enum Announcer {
    /// A log message, with an Event if operators should see it on the object as well.
    public struct Notice: Hashable, Sendable {
        public enum Severity: Int, Hashable, Sendable { case debug, info, warning, error }

        public var severity: Severity
        /// A constant phrase for each kind of notice; variable values are in `metadata`.
        public var message: String
        public var metadata: [String: String]
        public var event: ClusterEvent?

        init(_ severity: Severity, _ message: String, _ metadata: [String: String] = [:], event: ClusterEvent? = nil) {
            self.severity = severity
            self.message = message
            self.metadata = metadata
            self.event = event
        }
    }

    /// The number of failed or repairing operations that are logged individually for one sync, so that a failure of everything does not
    /// fill the log.
    private static let listedOperations = 20
    /// The number of entries listed in one message about a Service, which may specify any number of addresses.
    private static let listedEntries = 10

    /// Returns the notices of a sync.
    ///
    /// - Parameters:
    ///   - outcome: the result of the sync.
    ///   - before: the status after the previous sync.
    ///   - after: the status after this sync.
    ///   - origin: returns the Service port that an operation serves.
    ///   - isVerbose: whether to list operations that succeeded as well.
    public static func notices(
        _ outcome: SyncOutcome, from before: ProxyStatus, to after: ProxyStatus, origin: (Operation) -> ServiceOrigin?, isVerbose: Bool
    ) -> [Notice] {
        var notices = serviceNotices(outcome.translated, from: before, to: after)
        if isVerbose { notices += applied(outcome) }
        notices += failures(outcome, after, origin) + repairs(outcome, origin)
        if after.isInSync, !before.isInSync {
            notices.append(Notice(.info, "Kernel state in sync", ["virtualServers": "\(after.virtualServerCount)"]))
        }
        // A sync that only retried refused operations is not reported again.
        if outcome.operations.count > outcome.refusals.count { notices.append(synced(outcome, after)) }
        return notices
    }

    private static func applied(_ outcome: SyncOutcome) -> [Notice] {
        let failed = Set((outcome.failures + outcome.recovered + outcome.refusals).map(\.operation))
        return outcome.operations.filter { !failed.contains($0) }.map { Notice(.debug, "Applied", ["operation": "\($0)"]) }
    }

    private static func synced(_ outcome: SyncOutcome, _ after: ProxyStatus) -> Notice {
        var metadata = [
            "milliseconds": "\(outcome.duration.wholeMilliseconds)", "failures": "\(outcome.failures.count)", "inSync": "\(after.isInSync)",
        ]
        for (kind, count) in outcome.counts { metadata[kind.rawValue] = "\(count)" }
        if !outcome.refusals.isEmpty { metadata["refused"] = "\(outcome.refusals.count)" }
        if !after.pendingServices.isEmpty { metadata["pendingServices"] = "\(after.pendingServices.count)" }
        if let slowest = outcome.latencies.max() {
            metadata["endpointChanges"] = "\(outcome.latencies.count)"
            metadata["slowestEndpointChangeMilliseconds"] = "\(slowest.wholeMilliseconds)"
        }
        let conntrackFlushes = outcome.conntrackFlushes.values.reduce(Report.ConntrackFlush(), +)
        if conntrackFlushes.flows > 0 {
            metadata["flushedConntrackEntries"] = "\(conntrackFlushes.flows)"
            metadata["conntrackFlushMilliseconds"] = "\(conntrackFlushes.duration.wholeMilliseconds)"
        }
        return Notice(.info, "Synced", metadata)
    }

    // MARK: Failures

    private static func failures(
        _ outcome: SyncOutcome, _ after: ProxyStatus, _ origin: (Operation) -> ServiceOrigin?
    ) -> [Notice] {
        func metadata(_ failure: OperationFailure) -> [String: String] {
            ["operation": "\(failure.operation)", "service": "\(origin(failure.operation)?.description ?? "")", "error": failure.reason]
        }
        var notices = outcome.recovered.prefix(listedOperations).map { failure in
            Notice(.warning, "Operation failed and recovered", metadata(failure))
        }
        var announced: Set<Announcement> = []
        // Those that affect all Services are always listed.
        let affectsAll = { (failure: OperationFailure) in !failure.operation.familiesOfAllServices.isEmpty }
        let failures = outcome.failures.filter(affectsAll) + outcome.failures.filter { !affectsAll($0) }
        for failure in failures.prefix(listedOperations) {
            var notice = Notice(.error, "Operation failed", metadata(failure))
            if let entry = after.failing[failure.operation.key] {
                notice.metadata["attempts"] = "\(entry.attempts)"
                // No Event for the first failure: the operation may recover when it is retried.
                if entry.attempts == 2, let announcement = Announcement(failure.operation, entry.origin, after.node),
                    announced.insert(announcement).inserted
                {
                    notice.event = ClusterEvent(
                        .warning, reason: "SyncFailed", action: announcement.action, regarding: announcement.object,
                        note: "Failed to apply; retrying: \(failure.operation): \(failure.reason)")
                }
            }
            notices.append(notice)
        }
        if outcome.failures.count > listedOperations {
            notices.append(Notice(.error, "Further operations failed", ["failures": "\(outcome.failures.count - listedOperations)"]))
        }
        for failure in outcome.observationFailures {
            notices.append(
                Notice(
                    .error, "Failed to read kernel state",
                    ["part": "\(failure.part)", "error": failure.reason, "attempts": "\(failure.attempts)"]))
        }
        return notices
    }

    /// What the Event of a failure is about: a Service gets one Event of each sync, and the Node one for each operation.
    private struct Announcement: Hashable {
        var object: ObjectReference
        /// Events of one object with the same reason and action become one Event with the first note.
        var action: String

        /// Nil if the failure affects neither one Service nor all of them, such as the removal of a stale member of a set.
        init?(_ operation: Operation, _ origin: ServiceOrigin?, _ node: Node?) {
            if let origin {
                (object, action) = (.service(origin.service), syncService)
            } else if let node, !operation.familiesOfAllServices.isEmpty {
                let kind = operation.kind.rawValue
                (object, action) = (
                    .node(node.metadata.name), kind.prefix(1).uppercased() + kind.dropFirst() + Self.name(operation.subject)
                )
            } else {
                return nil
            }
        }

        private static func name(_ subject: Operation.Subject) -> String {
            switch subject {
            case .set(let name): "\(name)"
            case .rules(let family): family.rawValue
            default: ""
            }
        }
    }

    private static func repairs(_ outcome: SyncOutcome, _ origin: (Operation) -> ServiceOrigin?) -> [Notice] {
        var notices = outcome.repairs.prefix(listedOperations).map { operation in
            Notice(
                .warning, "Repaired external change",
                ["operation": "\(operation)", "service": "\(origin(operation)?.description ?? "")"])
        }
        if outcome.repairs.count > listedOperations {
            notices.append(
                Notice(
                    .warning, "Repaired further external changes",
                    ["operations": "\(outcome.repairs.count - listedOperations)"]))
        }
        return notices
    }

    // MARK: Services

    /// Returns notices about new conflicts, ignored annotations and refused addresses of the translated Services.
    private static func serviceNotices(
        _ translated: Set<NamespacedName>, from before: ProxyStatus, to after: ProxyStatus
    ) -> [Notice] {
        var notices: [Notice] = []
        for service in translated.sorted() {
            if let identities = after.conflicts[service], before.conflicts[service] != identities {
                for identity in identities.sorted().prefix(listedEntries) {
                    notices.append(
                        Notice(
                            .warning, "Address and port already used by an older Service",
                            ["service": "\(service)", "virtualServer": "\(identity)"]))
                }
                let event = event(
                    service, "AddressConflict",
                    "Not served, already used by an older Service; choose another address or port: \(list(identities, separator: " "))")
                notices[notices.count - 1].event = event
            }
            if let annotations = after.invalidAnnotations[service], before.invalidAnnotations[service] != annotations {
                let list = list(annotations)
                notices.append(
                    Notice(
                        .warning, "Ignoring invalid annotation",
                        ["service": "\(service)", "annotations": list],
                        event: event(service, "InvalidAnnotation", "Ignored: \(list)")))
            }
            if let refusals = after.refusedAddresses[service], before.refusedAddresses[service] != refusals {
                let list = list(refusals)
                notices.append(
                    Notice(
                        .error, "Refusing addresses of Service", ["service": "\(service)", "refused": list],
                        event: event(service, "AddressRefused", "Not served: \(list)")))
            }
        }
        return notices
    }

    private static let syncService = "SyncService"

    private static func event(_ name: NamespacedName, _ reason: String, _ note: String) -> ClusterEvent {
        ClusterEvent(.warning, reason: reason, action: syncService, regarding: .service(name), note: note)
    }

    /// Returns the first `listedEntries` elements as text, and the number of the others.
    private static func list(_ all: some Collection<some Comparable & CustomStringConvertible>, separator: String = "; ") -> String {
        let listed = all.sorted().prefix(listedEntries).map(\.description).joined(separator: separator)
        return all.count > listedEntries ? "\(listed); and \(all.count - listedEntries) more" : listed
    }

    // MARK: The node

    /// Returns notices about changes of this node's Node object that affect the served addresses or endpoints.
    public static func notices(of after: Node?, before: Node?) -> [Notice] {
        guard let after else {
            return before == nil ? [] : [Notice(.error, "Node object deleted; keeping its last state")]
        }
        guard let before else { return [] }
        var notices: [Notice] = []
        if before.hostAddresses != after.hostAddresses {
            notices.append(
                Notice(
                    .warning, "Addresses of Node object changed", ["before": "\(before.hostAddresses)", "after": "\(after.hostAddresses)"]))
        }
        if before.podCIDRs != after.podCIDRs {
            notices.append(
                Notice(.warning, "Pod CIDRs of Node object changed", ["before": "\(before.podCIDRs)", "after": "\(after.podCIDRs)"]))
        }
        return notices
    }

    /// Returns the notice about addresses added to or removed from the interfaces of the node.
    static func notice(ofAddresses after: Set<IPAddress>, before: Set<IPAddress>) -> Notice {
        Notice(
            .info, "Addresses of node interfaces changed",
            [
                "added": list(after.subtracting(before), separator: " "), "removed": list(before.subtracting(after), separator: " "),
            ])
    }

    /// Returns the notice about an audit that takes longer than the sync period.
    static func notice(ofLongAudit duration: Duration) -> Notice {
        Notice(
            .info, "Auditing takes longer than the sync period to limit its CPU time", ["milliseconds": "\(duration.wholeMilliseconds)"])
    }

    /// Returns the notice about rules that were removed from a backend after those in the backend in use were in place.
    ///
    /// - Parameter packetFilter: the one in use.
    static func notice(ofMoved rules: BackendRules, to packetFilter: PacketFilterKind) -> Notice {
        let removed = ["removedJumps": "\(rules.jumps.count)", "removedChains": "\(rules.chains.count)"]
        let family = ["family": rules.family.rawValue]
        if case .iptables(let backend) = rules.backend, packetFilter == .iptables {
            return Notice(
                .info, "Moved rules to another iptables backend",
                family.merging(["from": backend.rawValue, "to": backend.other.rawValue]) { $1 }.merging(removed) { $1 })
        }
        let moved = family.merging(["from": rules.backend.description, "to": packetFilter.rawValue]) { $1 }
        return switch rules.backend {
        case .iptables: Notice(.info, "Moved rules to another packet filter", moved.merging(removed) { $1 })
        case .ipset: Notice(.info, "Removed ipsets that are not in use", moved.merging(["removedSets": "\(rules.sets.count)"]) { $1 })
        case .nftables: Notice(.info, "Moved rules to another packet filter", moved)
        }
    }
}

extension Duration {
    /// The duration in milliseconds, rounded down.
    public var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
