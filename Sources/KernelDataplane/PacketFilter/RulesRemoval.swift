public import Model
public import Reconciler

/// The rules of this node for their removal: it uses no backend, so the rules and sets of all are those of other backends.
public struct RulesRemoval: PacketFilter {
    private let others: OtherBackends

    /// - Parameter catalogue: a state with all chains, jumps and sets of the proxy; their contents do not matter.
    public init(catalogue: NodeState) {
        others = OtherBackends(iptables: IPTablesBackend.allCases, hasIPSets: true, hasTables: true, catalogue: catalogue)
    }

    public func observe(_ family: IPFamily) async throws -> ObservedRules {
        let hasTable = try NFTablesClient().hasTable(Leftovers.tableName, family)
        return ObservedRules(Rules(family), leftovers: hasTable ? Leftovers(family, hasTable: true) : nil)
    }

    public func observeOtherBackends(_ family: IPFamily) async throws -> [BackendRules] { try await others.observe(family) }

    /// Returns the rules of one family in one backend; nil if there are none.
    public func observe(_ family: IPFamily, in backend: RulesBackend) async throws -> BackendRules? {
        switch backend {
        case .iptables(let backend): try await others.observe(family, in: backend)
        case .ipset: try others.observeSets(family)
        case .nftables: try others.observeTable(family)
        }
    }

    /// Returns the programs of iptables that this node does not have.
    public func missingPrograms() async -> [String] { await others.missingPrograms() }

    public func apply(_ operation: Operation) async throws -> [Rules.Chain: UInt64] {
        switch operation {
        case .removeRules(let removed): try await others.remove(removed)
        case .deleteLeftoverTable(let family): try NFTablesClient().deleteTable(Leftovers.tableName, family)
        default: break
        }
        return [:]
    }
}
