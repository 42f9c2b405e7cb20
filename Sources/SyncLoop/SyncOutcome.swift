public import Model
public import Reconciler

/// The result of a sync, which lasts from the time when work is due until no work is left that can be done without waiting.
public struct SyncOutcome: Sendable {
    /// All attempted operations in order, including failed ones.
    public var operations: [Operation] = []
    /// Operations that failed and will be retried, without refusals.
    public var failures: [OperationFailure] = []
    /// Operations that failed and then succeeded, or were no longer needed after the kernel was observed.
    public var recovered: [OperationFailure] = []
    /// Operations that the kernel refuses. They are retried once in every sync period.
    public var refusals: [OperationFailure] = []
    /// Failed reads of kernel state or node addresses.
    public var observationFailures: [ObservationFailure] = []
    public var duration: Duration = .zero
    /// The time from the cause of each endpoint change (`endpoints.kubernetes.io/last-change-trigger-time`) to the end of this sync.
    public var latencies: [Duration] = []
    /// The results of flushing conntrack entries, for the families where entries were listed.
    public var conntrackFlushes: [IPFamily: Report.ConntrackFlush] = [:]
    /// Successful operations that repaired external changes.
    public var repairs: [Operation] = []
    /// The number of observations because of changes that the kernel announced, by part.
    public var announced: [AnnouncedPart: Int] = [:]
    /// Whether the sync included changes of the cluster or of the node.
    public var includesChanges = false
    /// Services that were translated or whose refused endpoints may have changed.
    public var translated: Set<NamespacedName> = []
    /// The scope in which the desired state may have changed.
    public var changed = Scope.nothing

    public init() {}

    /// Appends the outcome of the next sync.
    public mutating func merge(_ next: SyncOutcome) {
        operations += next.operations
        recovered += next.recovered + failures.filter { failure in !next.failures.contains { $0.operation == failure.operation } }
        failures = next.failures
        refusals += next.refusals
        observationFailures = next.observationFailures
        duration += next.duration
        latencies += next.latencies
        conntrackFlushes.merge(next.conntrackFlushes, uniquingKeysWith: +)
        repairs += next.repairs
        announced.merge(next.announced, uniquingKeysWith: +)
        includesChanges = includesChanges || next.includesChanges
        translated.formUnion(next.translated)
        changed.formUnion(next.changed)
    }

    public var succeeded: Bool { failures.isEmpty && observationFailures.isEmpty }

    /// Whether the sync only observed the kernel, successfully, and applied nothing.
    public var isObservationOnly: Bool { operations.isEmpty && succeeded && !includesChanges }

    /// The number of attempted operations of each kind.
    public var counts: [OperationKind: Int] { Plan.counts(operations) }
}

/// A part of the kernel's state that could not be read.
public struct ObservationFailure: Hashable, Sendable, CustomStringConvertible {
    /// The state read in one step.
    public enum Part: Hashable, Sendable, CustomStringConvertible {
        case everything
        case virtualServers
        case device
        case set(AddressSet.Name)
        case rules(IPFamily)
        case rulesInOtherBackends(IPFamily)
        case nodeAddresses

        public var description: String {
            switch self {
            case .everything: "everything"
            case .virtualServers: "virtual servers"
            case .device: "\(NodeState.deviceName) addresses"
            case .set(let name): "set \(name)"
            case .rules(let family): "\(family.rawValue) rules"
            case .rulesInOtherBackends(let family): "\(family.rawValue) rules in packet filters that are not in use"
            case .nodeAddresses: "node addresses"
            }
        }
    }

    public var part: Part
    public var reason: String
    /// The number of consecutive failures.
    public var attempts: Int
    /// Whether an audit failed to read it. The mirror stays valid, and no operation waits for it.
    public var isOfAudit: Bool

    public init(part: Part, reason: String, attempts: Int, isOfAudit: Bool) {
        self.part = part
        self.reason = reason
        self.attempts = attempts
        self.isOfAudit = isOfAudit
    }

    public var description: String { "\(part): \(reason)" }
}
