public import Model
public import Reconciler

/// The rules of this node for their removal: it uses no backend of iptables, so the rules of both are those of other backends.
public struct RulesRemoval: PacketFilter {
    private let rules: RulesInBackends

    /// - Parameter catalogue: a state with all chains and jumps of the proxy; their contents do not matter.
    public init(catalogue: NodeState) { rules = RulesInBackends(backends: IPTablesBackend.allCases, catalogue: catalogue.rules) }

    public func observe(_ family: IPFamily) async throws -> ObservedRules {
        let hasTable = try NFTablesClient().hasTable(Leftovers.tableName, family)
        return ObservedRules(Rules(family), leftovers: hasTable ? Leftovers(family, hasTable: true) : nil)
    }

    public func observeOtherBackends(_ family: IPFamily) async throws -> [BackendRules] { try await rules.observe(family) }

    /// Returns the rules of one family in one backend; nil if there are none.
    public func observe(_ family: IPFamily, in backend: IPTablesBackend) async throws -> BackendRules? {
        try await rules.observe(family, in: backend)
    }

    /// Returns the programs of iptables that this node does not have.
    public func missingPrograms() async -> [String] { await rules.missingPrograms() }

    public func apply(_ operation: Operation) async throws -> [Rules.Chain: UInt64] {
        switch operation {
        case .removeRules(let removed): try await rules.remove(removed)
        case .deleteLeftoverTable(let family): try NFTablesClient().deleteTable(Leftovers.tableName, family)
        default: break
        }
        return [:]
    }
}
