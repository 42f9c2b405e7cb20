public import Model
public import Reconciler

/// The rules of this node in this program's tables of nf_tables, one for each family.
///
/// Netlink blocks, so it runs on its own executor. Programs run only to find rules in iptables.
public actor NFTablesFilter: PacketFilter {
    private let executor = KernelExecutor()
    public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    private let client: NFTablesClient
    private nonisolated let others: OtherBackends
    private let tables: [IPFamily: RuleTable]
    private var drops = DropCounters()

    /// - Parameter catalogue: a state with all chains, jumps and sets of the proxy; their contents do not matter.
    public init(catalogue: NodeState) throws(DataplaneError) {
        tables = Dictionary(uniqueKeysWithValues: catalogue.rules.keys.map { ($0, RuleTable($0, catalogue)) })
        others = OtherBackends(iptables: IPTablesBackend.allCases, hasIPSets: true, hasTables: false, catalogue: catalogue)
        client = try NFTablesClient()
    }

    public func observe(_ family: IPFamily) async throws -> ObservedRules {
        guard let table = tables[family] else { return ObservedRules(Rules(family, in: .nftables)) }
        let chains = try client.chains(table: BackendRules.tableName, family)
        let rules = table.rules(chains, try client.rules(table: BackendRules.tableName, family))
        drops.read(table.dropped(try client.counters(table: BackendRules.tableName, family)), of: family)
        let hasTable = try client.hasTable(Leftovers.tableName, family)
        return ObservedRules(
            rules, leftovers: hasTable ? Leftovers(family, hasTable: true) : nil, dropped: drops.totals[family] ?? [:])
    }

    public nonisolated func observeOtherBackends(_ family: IPFamily) async throws -> [BackendRules] { try await others.observe(family) }

    public func apply(_ operation: Operation) async throws -> [Rules.Chain: UInt64] {
        switch operation {
        case .restoreRules(let rules, _):
            guard let table = tables[rules.family] else { return [:] }
            try restore(rules, table)
            return drops.totals[rules.family] ?? [:]
        case .removeRules(let rules): try await others.remove(rules)
        case .deleteLeftoverTable(let family): try client.deleteTable(Leftovers.tableName, family)
        default: break
        }
        return [:]
    }

    /// Replaces the rules of all chains in one transaction. The counters keep their values.
    private func restore(_ rules: Rules, _ table: RuleTable) throws(DataplaneError) {
        let commands = table.commands(restoring: rules, over: try client.chains(table: BackendRules.tableName, rules.family))
        do throws(NFTTransactionError) {
            try client.transact(commands, table: BackendRules.tableName, rules.family)
        } catch {
            throw DataplaneError(
                "nft -f - (table \(rules.family.nftTable))",
                RuleTable.explanation(error, of: commands, rules.family, .current), isTemporary: error.isTemporary)
        }
    }
}
