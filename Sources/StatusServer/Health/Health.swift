public import Model
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
