internal import FoundationEssentials
public import Kubernetes
public import Model
internal import Reconciler
public import SyncLoop
public import Text

/// Whether this node's kernel follows the cluster, family by family.
///
/// A family is well as long as nothing waits to be programmed for too long: what was asked for first and is not done counts. As kube-proxy's proxier health
/// server judges, but for the start: before the first sync nothing is programmed, and load balancers are told so.
public struct Health: Hashable, Sendable {
    public struct Family: Hashable, Sendable {
        /// When it was programmed last; nil before the first time.
        public var updated: WallTime?
        /// Since when something waits to be programmed.
        public var queued: Timestamp?

        public init() {}
    }

    public private(set) var families: [IPFamily: Family] = [:]
    /// How long something may wait: twice the sync period.
    public let limit: Duration

    /// What the start waits for before it is known which families are served, such as the lock of iptables; nil once it is known.
    ///
    /// A restart would not help: it takes the node out of load balancers, and does not end the program.
    public var waitingFor: String?

    public init(limit: Duration) { self.limit = limit }

    /// Something is to be programmed.
    public mutating func queue(_ families: Set<IPFamily>, at now: Moment) {
        for family in families where self.families[family]?.queued == nil { self.families[family, default: Family()].queued = now.uptime }
    }

    /// All that waited is programmed.
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

    /// Whether no family waits for too long.
    public func isHealthy(at now: Moment) -> Bool { families.keys.allSatisfy { isHealthy($0, at: now) } }

    /// Whether everything was programmed at least once.
    public var isProgrammed: Bool { waitingFor == nil && !families.isEmpty && families.values.allSatisfy { $0.updated != nil } }

    /// When a family was programmed last.
    public var lastUpdated: WallTime { families.values.compactMap(\.updated).max() ?? .never }
}

extension Health {
    /// What `/healthz` and `/livez` say, with kube-proxy's keys in kube-proxy's order, and `waitingFor` where there is something to wait for.
    ///
    /// - Parameter nodeEligible: nil where the node is not looked at.
    func json(isHealthy: Bool, nodeEligible: Bool?, at now: Moment) -> String {
        let isGood = isHealthy && nodeEligible ?? true
        var fields = [
            "\"lastUpdated\":\"\((isGood ? now.wall : lastUpdated).rfc3339)\"", "\"currentTime\":\"\(now.wall.rfc3339)\"",
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
        if let waitingFor { fields.append("\"waitingFor\":\(Health.quoted(waitingFor))") }
        return "{\(fields.joined(separator: ","))}"
    }

    /// As a string of JSON.
    private static func quoted(_ text: String) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        // A string always has a form in JSON.
        return (try? encoder.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "null"
    }
}

extension Health {
    /// The families for which everything is done that is to be done for the node as a whole.
    ///
    /// A Service that cannot be programmed is reported on that Service: it must not take the node out of every load balancer, for then one user could. But
    /// what all Services share has to stand, and so do most Services.
    public static func programmed(_ status: ProxyStatus) -> Set<IPFamily> {
        guard status.unreadable.isEmpty, status.pendingServices.count * 2 <= status.serviceCount else { return [] }
        var families = status.families.subtracting(status.familiesWithoutRules)
        for entry in status.failures {
            switch entry.operation {
            case .createSet(let set), .replaceSet(let set): families.remove(set.family)
            case .restoreRules(let rules, _): families.remove(rules.family)
            case .createDevice: return []
            default: break
            }
        }
        return families
    }
}

extension Node {
    /// Whether load balancers should send new connections to the node: not while it is deleted, nor once the cluster autoscaler means to (KEP-3836).
    public var isEligible: Bool {
        metadata.deletionTimestamp == nil && !taints.contains { $0.key == "ToBeDeletedByClusterAutoscaler" }
    }
}
