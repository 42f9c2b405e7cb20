internal import FoundationEssentials
public import Kubernetes
public import Model
internal import Reconciler
public import SyncLoop
public import Text

/// Whether this node's kernel is kept up to date with the cluster, by family.
///
/// A family is healthy as long as its oldest pending change has not waited for too long, as in kube-proxy's proxier health server. Unlike
/// there, `/healthz` also fails before the first sync, as nothing is programmed.
public struct Health: Hashable, Sendable {
    public struct Family: Hashable, Sendable {
        /// When the family was programmed last; nil before the first time.
        public var updated: WallTime?
        /// When the oldest pending change was queued; nil if there is none.
        public var queued: Timestamp?

        public init() {}
    }

    public private(set) var families: [IPFamily: Family] = [:]
    /// How long a change may be pending: twice the sync period.
    public let limit: Duration

    /// What startup waits for before the served families are known, such as the iptables lock; nil afterwards.
    ///
    /// It only fails `/healthz`, which takes the node out of load balancers, and not `/livez`, as a restart would not help.
    public var waitingFor: String?

    /// What a standby that is ready to take over waits for; nil if this instance serves.
    ///
    /// A standby is healthy: the program that it waits for serves the node.
    public var standbyFor: String?

    /// Failed operations that keep a family from being programmed, each with its error. Only the responses contain them.
    public var failures: [String] = []

    public init(limit: Duration) { self.limit = limit }

    /// Records a pending change of families.
    public mutating func queue(_ families: Set<IPFamily>, at now: Moment) {
        for family in families where self.families[family]?.queued == nil { self.families[family, default: Family()].queued = now.uptime }
    }

    /// Records that all pending changes of families are programmed.
    public mutating func update(_ families: Set<IPFamily>, at now: Moment) {
        for family in families {
            self.families[family, default: Family()].updated = now.wall
            self.families[family]?.queued = nil
        }
    }

    public func isHealthy(_ family: IPFamily, at now: Moment) -> Bool {
        guard let queued = families[family]?.queued else { return true }
        return queued.duration(to: now.uptime) < limit
    }

    /// Whether all families are healthy.
    public func isHealthy(at now: Moment) -> Bool { families.keys.allSatisfy { isHealthy($0, at: now) } }

    /// Whether all families have been programmed at least once.
    public var isProgrammed: Bool { waitingFor == nil && !families.isEmpty && families.values.allSatisfy { $0.updated != nil } }

    /// When any family was programmed last.
    public var lastUpdated: WallTime { families.values.compactMap(\.updated).max() ?? .never }
}

extension Health {
    /// Returns the JSON of `/healthz` and `/livez`, with kube-proxy's keys in its order, `standbyFor` of a standby, `waitingFor` if startup is
    /// waiting, and `failures` if there are any.
    ///
    /// - Parameter nodeEligible: Nil if the response does not depend on the node.
    func json(isHealthy: Bool, nodeEligible: Bool?, at now: Moment) -> String {
        let isServing = isHealthy && nodeEligible ?? true
        var fields = [
            "\"lastUpdated\":\"\((isServing ? now.wall : lastUpdated).rfc3339)\"", "\"currentTime\":\"\(now.wall.rfc3339)\"",
        ]
        if let nodeEligible { fields.append("\"nodeEligible\":\(nodeEligible)") }
        fields.append("\"healthy\":\(isHealthy)")
        if !families.isEmpty {
            let status = IPFamily.allCases.compactMap { family in
                families[family].map {
                    "\"\(family.rawValue)\":{\"lastUpdated\":\"\(($0.updated ?? .never).rfc3339)\",\"healthy\":\(self.isHealthy(family, at: now))}"
                }
            }
            fields.append("\"status\":{\(status.joined(separator: ","))}")
        }
        if let standbyFor { fields.append("\"standbyFor\":\(Health.quoted(standbyFor))") }
        if let waitingFor { fields.append("\"waitingFor\":\(Health.quoted(waitingFor))") }
        if !failures.isEmpty { fields.append("\"failures\":[\(failures.map(Health.quoted).joined(separator: ","))]") }
        return "{\(fields.joined(separator: ","))}"
    }

    /// Returns the text as a JSON string.
    private static func quoted(_ text: String) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        // Encoding a string cannot fail.
        return (try? encoder.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "null"
    }
}

extension Health {
    /// Returns the families for which everything that all Services share, and at least half of the Services, are programmed.
    ///
    /// A Service that cannot be programmed is reported on that Service. It must not take the node out of all load balancers, as then a
    /// single user could.
    public static func programmed(_ status: ProxyStatus) -> Set<IPFamily> {
        guard !status.unreadable.keys.contains(where: isRequired), status.pendingServices.count * 2 <= status.serviceCount else {
            return []
        }
        var families = status.families.subtracting(status.familiesWithoutRules)
        for entry in status.failures { families.subtract(entry.operation.familiesOfAllServices) }
        return families
    }

    /// Whether a part of the state must be readable: rules in the other backend of iptables are not in use.
    private static func isRequired(_ part: ObservationFailure.Part) -> Bool {
        if case .rulesInOtherBackends = part { false } else { true }
    }

    /// The failed operations that everything depends on, with their errors: at most `listedFailures`, sorted.
    public static func failures(_ status: ProxyStatus) -> [String] {
        status.failures.filter { !$0.operation.familiesOfAllServices.isEmpty }.map { "\($0.operation): \($0.reason)" }.sorted()
            .prefix(listedFailures).map(\.self)
    }

    /// A missing set type fails one operation for each set of that type.
    private static let listedFailures = 4
}

extension Node {
    /// Whether load balancers should send new connections to the node: not while it is being deleted, nor once the cluster autoscaler is
    /// about to delete it (KEP-3836).
    public var isEligible: Bool {
        metadata.deletionTimestamp == nil && !taints.contains { $0.key == "ToBeDeletedByClusterAutoscaler" }
    }
}
