public import Model

/// The operations that lead from an observed state to the desired state, ordered so that clients never see a partially configured Service.
///
/// See `Plan.Phase` for the order. Applying all operations to the observed state gives the desired state, except for real servers that
/// still drain or whose weight still rises. A plan made from the result at the same time is empty.
public struct Plan: Hashable, Sendable {
    public private(set) var operations: [Operation] = []
    /// The virtual servers that have draining real servers. The next step depends on their connection counts and the drain timeout.
    public private(set) var draining: Set<VirtualServer.Identity> = []
    /// The virtual servers that have real servers in slow start. The next step depends on the time.
    public private(set) var slowStarting: Set<VirtualServer.Identity> = []

    /// Creates the plan from the differences of two states.
    ///
    /// - Parameters:
    ///   - observed: the kernel state without objects of others. Objects that are not in it are never changed or removed.
    ///   - desired: the state to reach.
    ///   - scope: the keys to compare. The cost is proportional to their number.
    ///   - drainTimeout: the longest time that a real server which is no longer desired keeps its TCP connections, unless its virtual
    ///     server specifies another.
    ///   - now: the current time, for drain timeouts and slow start.
    ///   - rotation: a number specific to this node, so that each node adds real servers in a different order where the scheduler permits.
    ///   - suspendsRemovals: whether to keep objects that are not desired, because the source may be incomplete.
    ///   - flows: the virtual servers whose conntrack entries to flush although the states do not differ, because an earlier flush failed
    ///     or was deferred.
    public init(
        from observed: NodeState, to desired: NodeState, scope: Scope = .everything, drainTimeout: Duration, now: Timestamp,
        rotation: UInt64 = 0, suspendsRemovals: Bool = false, flows: Set<VirtualServer.Identity> = []
    ) {
        var builder = PlanBuilder(
            observed: observed, desired: desired, drainTimeout: drainTimeout, now: now, rotation: rotation,
            suspendsRemovals: suspendsRemovals)
        builder.add(scope, flows)
        (operations, draining, slowStarting) = (builder.operations, builder.draining, builder.slowStarting)
    }

    init(operations: [Operation]) { self.operations = operations }

    public var isEmpty: Bool { operations.isEmpty }

    /// The number of operations of each kind.
    public var counts: [OperationKind: Int] { Plan.counts(operations) }

    /// Returns the number of operations of each kind.
    public static func counts(_ operations: [Operation]) -> [OperationKind: Int] {
        operations.reduce(into: [:]) { $0[$1.kind, default: 0] += 1 }
    }
}

extension Rules {
    /// Whether `observed` lacks some of these rules or jumps.
    ///
    /// Extra observed rules do not count, because they protect only what is about to be removed.
    public func adds(to observed: Rules) -> Bool {
        jumps.contains { !observed.jumps.contains($0) } || keepingRemovedRules(of: observed).chains != observed.chains
    }

    /// Returns these rules, but with the observed rules in each chain from which rules are only to be removed.
    ///
    /// Restoring the result adds all missing rules and removes none from those chains.
    func keepingRemovedRules(of observed: Rules) -> Rules {
        var merged = self
        for (chain, rules) in observed.chains {
            if let wanted = chains[chain], wanted.count < rules.count, rules.contains(inOrder: wanted) { merged.chains[chain] = rules }
        }
        return merged
    }
}

extension [Rule] {
    /// Whether `others` is a subsequence of this array.
    fileprivate func contains(inOrder others: [Rule]) -> Bool {
        var remaining = others[...]
        for element in self where element == remaining.first { remaining = remaining.dropFirst() }
        return remaining.isEmpty
    }
}

extension VirtualServer {
    var withoutRealServers: VirtualServer {
        var copy = self
        copy.realServers = []
        return copy
    }
}
