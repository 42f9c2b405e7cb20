public import Model
public import Reconciler

/// What a sync did: from the moment something was due until nothing was left that could be done at once.
public struct SyncOutcome: Sendable {
    /// What was attempted, in order, failures included.
    public var operations: [Operation] = []
    public var failures: [OperationFailure] = []
    /// What failed at first and succeeded, or was not needed any more, after the kernel was observed.
    public var recovered: [OperationFailure] = []
    /// What the kernel does not accept; it is tried again once in a sync period.
    public var refusals: [OperationFailure] = []
    /// What could not be read, and why.
    public var observationFailures: [ObservationFailure] = []
    public var duration: Duration = .zero
    /// How long changes of endpoints took from their cause to this sync's end (`endpoints.kubernetes.io/last-change-trigger-time`).
    public var latencies: [Duration] = []
    /// What forgetting flows came to, where it was tried.
    public var forgetting: [IPFamily: Report.ConntrackFlush] = [:]
    /// Operations that succeeded and repaired what others had changed, as an audit found.
    public var repairs: [Operation] = []
    /// Whether it took changes of the cluster or of the node over.
    public var tookChanges = false
    /// Services that were translated again.
    public var translated: Set<NamespacedName> = []
    /// Where the desired state may differ from before.
    public var changed = Scope.nothing

    public init() {}

    /// Takes over what the next sync did.
    public mutating func merge(_ next: SyncOutcome) {
        operations += next.operations
        recovered += next.recovered + failures.filter { failure in !next.failures.contains { $0.operation == failure.operation } }
        failures = next.failures
        refusals += next.refusals
        observationFailures = next.observationFailures
        duration += next.duration
        latencies += next.latencies
        forgetting.merge(next.forgetting, uniquingKeysWith: +)
        repairs += next.repairs
        tookChanges = tookChanges || next.tookChanges
        translated.formUnion(next.translated)
        changed.formUnion(next.changed)
    }

    public var succeeded: Bool { failures.isEmpty && observationFailures.isEmpty }

    /// Whether it only observed, and found nothing to do.
    public var isProbe: Bool { operations.isEmpty && succeeded && !tookChanges }

    /// How many operations of each kind were attempted.
    public var counts: [OperationKind: Int] { Plan.counts(operations) }
}

/// A part of the kernel's state that could not be read.
public struct ObservationFailure: Hashable, Sendable, CustomStringConvertible {
    /// What is read in one step.
    public enum Part: Hashable, Sendable, CustomStringConvertible {
        case everything
        case virtualServers
        case device
        case set(AddressSet.Name)
        case rules(IPFamily)
        case nodeAddresses

        public var description: String {
            switch self {
            case .everything: "everything"
            case .virtualServers: "virtual servers"
            case .device: "\(NodeState.deviceName) addresses"
            case .set(let name): "set \(name)"
            case .rules(let family): "\(family.rawValue) rules"
            case .nodeAddresses: "node addresses"
            }
        }
    }

    public var part: Part
    public var reason: String
    /// How often in a row.
    public var attempts: Int
    /// What was known of it stays in force; nothing waits for it.
    public var isOfAudit: Bool

    public init(part: Part, reason: String, attempts: Int, isOfAudit: Bool) {
        self.part = part
        self.reason = reason
        self.attempts = attempts
        self.isOfAudit = isOfAudit
    }

    public var description: String { "\(part): \(reason)" }
}
