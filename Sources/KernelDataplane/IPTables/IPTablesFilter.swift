public import Model
public import Reconciler

/// The rules of this node, through iptables-save and iptables-restore.
///
/// Calls of one family run one after the other, whoever makes them: a listing taken while rules are restored would compare with the wrong ones, and count their
/// packets twice.
public actor IPTablesFilter: PacketFilter {
    private let iptables: IPTables
    private let nftables: NFTablesClient
    /// What is ours by name: the chains and jumps of a cluster without Services.
    private let catalogue: [IPFamily: Rules]
    /// How rules we restored look when they are printed, where that differs from how we wrote them.
    private var printed: [IPFamily: Printed] = [:]
    private var drops = DropCounters()
    /// The call that runs last, of each family.
    private var last: [IPFamily: Task<Void, Never>] = [:]

    private struct Printed {
        var restored: Rules
        var saved: Rules

        /// Chains that somebody changed between our writing and our reading are not our rules in another spelling.
        var isLikely: Bool { saved.chains.mapValues(\.count) == restored.chains.mapValues(\.count) }
    }

    /// - Parameter catalogue: a state that holds every chain and jump of ours, whatever is in them.
    public init(catalogue: NodeState, iptables: IPTables) throws(DataplaneError) {
        self.catalogue = catalogue.rules
        self.iptables = iptables
        nftables = try NFTablesClient()
    }

    public func observe(_ family: IPFamily) async throws -> ObservedRules {
        try await serialized(of: family) { try await self.read(family) }
    }

    public func apply(_ operation: Operation) async throws -> [Rules.Chain: UInt64] {
        guard let family = operation.scope.rules.first else { return [:] }
        return try await serialized(of: family) { try await self.change(operation) }
    }

    /// Runs `body` when those before it have ended.
    private func serialized<Value: Sendable>(
        of family: IPFamily, _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let before = last[family]
        // Of its own, so that it is not ended with the task that asked for it: what was begun is brought to its end.
        let task = Task {
            await before?.value
            return try await body()
        }
        last[family] = Task { _ = await task.result }
        return try await task.value
    }

    private func read(_ family: IPFamily) async throws -> ObservedRules {
        let catalogue = catalogue[family] ?? Rules(family)
        let saved = try await iptables.saved(family)
        let listing = RulesText.listing(saved, catalogue: catalogue)
        drops.read(listing.dropped, of: family)
        var rules = listing.rules
        if let known = printed[family], known.saved.chains == rules.chains, known.isLikely { rules.chains = known.restored.chains }
        var left = LeftoverRules.parse(saved, catalogue: catalogue)
        left.hasTable = try nftables.hasTable(Leftovers.tableName, family)
        return ObservedRules(rules, leftovers: left.isEmpty ? nil : left, dropped: drops.totals[family] ?? [:])
    }

    private func change(_ operation: Operation) async throws -> [Rules.Chain: UInt64] {
        switch operation {
        case .restoreRules(let rules, let missingJumps):
            // What they have counted goes with the rules.
            if drops.isCounting(rules.family) { drops.read(try await iptables.listing(catalogue: rules).dropped, of: rules.family) }
            try await iptables.restore(RulesText.restore(rules, missingJumps: missingJumps), rules.family)
            drops.restart(rules.family)
            let listing = try await iptables.listing(catalogue: rules)
            drops.read(listing.dropped, of: rules.family)
            printed[rules.family] = Printed(restored: rules, saved: listing.rules)
            return drops.totals[rules.family] ?? [:]
        case .removeRules(let rules): try await iptables.restore(RulesText.remove(rules), rules.family)
        case .removeLeftoverRules(let left): try await iptables.restore(RulesText.remove(left), left.family)
        case .deleteLeftoverTable(let family): try nftables.deleteTable(Leftovers.tableName, family)
        default: break
        }
        return [:]
    }
}
