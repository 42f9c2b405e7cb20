public import Model

/// The operations that lead from one state to another, in the one order that never shows a client a half-made Service.
///
/// A value: it can be printed, counted and tested. Applying it to the observed state gives the desired one, save for real servers that still drain;
/// planning again gives nothing.
public struct Plan: Hashable, Sendable {
    public private(set) var operations: [Operation] = []
    /// Virtual servers with real servers that drain: their connection counts decide what comes next.
    public private(set) var draining: Set<VirtualServer.Identity> = []
    /// Virtual servers with real servers whose weight rises: time decides what comes next.
    public private(set) var warming: Set<VirtualServer.Identity> = []

    /// Compares two states.
    ///
    /// - Parameters:
    ///   - observed: what the kernel holds, foreign things left out: what is not in it is never touched.
    ///   - scope: which keys to compare; the cost follows it.
    ///   - drainTimeout: how long a real server that is no longer wanted may keep its TCP connections, where its virtual server does not say.
    ///   - rotation: a number of this node, with which its servers are added in an order of its own where the order is free.
    ///   - now: the moment for drain deadlines.
    ///   - flows: virtual servers whose flows are to be forgotten though nothing changes, as that failed before or had to wait.
    ///   - suspendsRemovals: keeps what is not desired: the source may not know everything that exists.
    public init(
        from observed: NodeState, to desired: NodeState, scope: Scope = .everything, drainTimeout: Duration, now: Timestamp,
        rotation: UInt64 = 0, suspendsRemovals: Bool = false, flows: Set<VirtualServer.Identity> = []
    ) {
        var builder = PlanBuilder(
            observed: observed, desired: desired, drainTimeout: drainTimeout, now: now, rotation: rotation,
            suspendsRemovals: suspendsRemovals)
        builder.add(scope, flows)
        (operations, draining, warming) = (builder.operations, builder.draining, builder.warming)
    }

    init(operations: [Operation]) { self.operations = operations }

    public var isEmpty: Bool { operations.isEmpty }

    /// How many operations of each kind there are.
    public var counts: [OperationKind: Int] { Plan.counts(operations) }

    /// How many operations of each kind there are.
    public static func counts(_ operations: [Operation]) -> [OperationKind: Int] {
        operations.reduce(into: [:]) { $0[$1.kind, default: 0] += 1 }
    }
}

extension Rules {
    /// Whether the rules of ours that a kernel holds lack some that these have.
    ///
    /// Rules in excess are no reason for anything to wait: they protect what is about to go.
    public func adds(to observed: Rules) -> Bool {
        jumps.contains { !observed.jumps.contains($0) } || withRulesThatGo(from: observed).chains != observed.chains
    }

    /// With all rules of those chains that lose some and gain none.
    func withRulesThatGo(from observed: Rules) -> Rules {
        var merged = self
        for (chain, rules) in observed.chains {
            if let wanted = chains[chain], wanted.count < rules.count, rules.contains(inOrder: wanted) { merged.chains[chain] = rules }
        }
        return merged
    }
}

extension [String] {
    fileprivate func contains(inOrder others: [String]) -> Bool {
        var rest = others[...]
        for element in self where element == rest.first { rest = rest.dropFirst() }
        return rest.isEmpty
    }
}

extension VirtualServer {
    var withoutRealServers: VirtualServer {
        var copy = self
        copy.realServers = [:]
        return copy
    }
}
