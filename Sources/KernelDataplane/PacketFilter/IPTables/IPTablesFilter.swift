public import Model
public import Reconciler
internal import SystemCalls

/// The rules of this node, through iptables-save and iptables-restore.
///
/// Calls for one family are serialized: a listing during a restore would be compared with the wrong rules, and count their packets twice.
/// Those for other backends are not, so that a program of another backend that hangs delays no rules in use.
public actor IPTablesFilter: PacketFilter {
    private let iptables: IPTables
    private nonisolated let others: OtherBackends
    private let nftables: NFTablesClient
    /// The chains and jumps that the proxy owns, by name: those of a cluster without Services.
    private let catalogue: [IPFamily: Rules]
    /// The restored rules with their text in `iptables-save`, which may differ from the text that was restored.
    private var printed: [IPFamily: Printed] = [:]
    private var drops = DropCounters()
    /// The CPU time of programs that listings have reported.
    private var reportedTime = Duration.zero
    /// The last call of each family.
    private var last: [IPFamily: Task<Void, Never>] = [:]

    private struct Printed {
        var restored: Rules
        var saved: [Rules.Chain: [String]]

        /// Whether the chains have the same number of rules; if not, they were changed between the restore and the listing.
        var isPlausible: Bool { saved.mapValues(\.count) == restored.chains.mapValues(\.count) }
    }

    /// - Parameter catalogue: a state with all chains and jumps of the proxy; their contents do not matter.
    public init(catalogue: NodeState, iptables: IPTables) throws(DataplaneError) {
        self.catalogue = catalogue.rules
        self.iptables = iptables
        others = OtherBackends(iptables: [iptables.backend.other], hasIPSets: false, hasTables: true, catalogue: catalogue)
        nftables = try NFTablesClient()
    }

    public func observe(_ family: IPFamily) async throws -> ObservedRules {
        try await serialized(of: family) { try await self.read(family) }
    }

    public nonisolated func observeOtherBackends(_ family: IPFamily) async throws -> [BackendRules] { try await others.observe(family) }

    public func apply(_ operation: Operation) async throws -> [Rules.Chain: UInt64] {
        if case .removeRules(let rules) = operation {
            try await others.remove(rules)
            return [:]
        }
        guard let family = operation.scope.rules.first else { return [:] }
        return try await serialized(of: family) { try await self.change(operation) }
    }

    /// Runs `body` after all earlier calls of the family.
    private func serialized<Value: Sendable>(
        of family: IPFamily, _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let before = last[family]
        // A separate task, so that cancelling the caller does not interrupt it.
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
        if let known = printed[family], known.saved == listing.chains, known.isPlausible { rules.chains = known.restored.chains }
        var left = LeftoverRules.parse(saved, catalogue: catalogue)
        left.hasTable = try nftables.hasTable(Leftovers.tableName, family)
        // Of the listings of both families, which run at the same time, the first to end reports what both have used.
        let time = CPUTime.ofEndedPrograms
        defer { reportedTime = time }
        return ObservedRules(
            rules, leftovers: left.isEmpty ? nil : left, dropped: drops.totals[family] ?? [:], cost: time - reportedTime)
    }

    private func restore(_ rules: Rules, _ missingJumps: [Rules.Jump]) async throws(DataplaneError) {
        do throws(DataplaneError) {
            try await iptables.restore(RulesText.restore(rules, missingJumps: missingJumps), rules.family)
        } catch {
            // Not kept for the next failure: the same error may then have another cause, after the operator has loaded a module.
            throw await iptables.explain(error, rules)
        }
    }

    private func change(_ operation: Operation) async throws -> [Rules.Chain: UInt64] {
        switch operation {
        case .restoreRules(let rules, let missingJumps):
            // Restoring resets the counters.
            if drops.isCounting(rules.family) { drops.read(try await iptables.listing(catalogue: rules).dropped, of: rules.family) }
            try await restore(rules, missingJumps)
            drops.restart(rules.family)
            let listing = try await iptables.listing(catalogue: rules)
            drops.read(listing.dropped, of: rules.family)
            printed[rules.family] = Printed(restored: rules, saved: listing.chains)
            return drops.totals[rules.family] ?? [:]
        case .removeLeftoverRules(let left): try await iptables.restore(RulesText.remove(left), left.family)
        case .deleteLeftoverTable(let family): try nftables.deleteTable(Leftovers.tableName, family)
        default: break
        }
        return [:]
    }
}
