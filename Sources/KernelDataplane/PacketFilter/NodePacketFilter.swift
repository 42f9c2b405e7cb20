public import Model
public import Reconciler

/// The packet filter that this node uses.
public struct NodePacketFilter: Sendable {
    /// Nil for nf_tables.
    public let iptables: IPTables?
    /// The families that it serves.
    public let families: Set<IPFamily>
    /// The families that were tested and do not work, each with the reason and how to fix it.
    public let unavailable: [IPFamily: String]
    /// Why it was chosen.
    public private(set) var reason: String

    public var kind: PacketFilterKind { iptables == nil ? .nftables : .iptables }

    /// Detects the packet filter to use.
    ///
    /// Fails with a temporary error if iptables could not be tested for now: that decides nothing.
    ///
    /// - Parameters:
    ///   - choice: nil for iptables with ipset if both work, else nf_tables.
    ///   - backend: of iptables; nil to detect it.
    ///   - families: the families to test.
    ///   - catalogue: the rules and sets, in each packet filter, that the kernel must support. iptables is not tested if it has such rules.
    ///   - testingRules: whether to test the kernel with rules; if false, only runs the programs of iptables.
    public static func detect(
        _ choice: PacketFilterKind?, backend: IPTables.Backend?, families: Set<IPFamily>,
        catalogue: (PacketFilterKind) -> NodeState = { _ in NodeState() },
        testingRules: Bool
    ) async throws(DataplaneError) -> NodePacketFilter {
        switch choice {
        case .iptables:
            return try await findIPTables(backend, families, testingRules: testingRules, reason: "--packet-filter is iptables")
        case .nftables:
            return try findTables(families, catalogue(.nftables), testingRules: testingRules, reason: "--packet-filter is nftables")
        case nil: break
        }
        // Without tests, the table of a running proxy shows which one works.
        if !testingRules, try hasTable() {
            return try findTables(families, testingRules: false, reason: "this node has a table of the proxy")
        }
        let reason: String
        do throws(DataplaneError) {
            let found = try await findIPTables(
                backend, families, testingRules: testingRules, reason: "iptables and ipset work on this node")
            // nf_tables first: its test starts no programs.
            guard testingRules, var tables = try alternative(families, catalogue(.nftables)),
                tables.families.isSuperset(of: found.families),
                let missing = try await found.shortcoming(families, catalogue(.iptables).rules)
            else { return found }
            tables.reason = "iptables does not work completely on this node: \(missing)"
            return tables
        } catch {
            if error.isTemporary { throw error }
            reason = error.description
        }
        do throws(DataplaneError) {
            return try findTables(
                families, catalogue(.nftables), testingRules: testingRules, reason: "iptables does not work on this node: \(reason)")
        } catch {
            throw DataplaneError(
                "packet filter", "neither iptables nor nftables works: \(reason); \(error)", isTemporary: error.isTemporary)
        }
    }

    /// nf_tables; nil if it does not work on this node.
    private static func alternative(_ families: Set<IPFamily>, _ catalogue: NodeState) throws(DataplaneError) -> NodePacketFilter? {
        do throws(DataplaneError) {
            return try findTables(families, catalogue, testingRules: true, reason: "")
        } catch {
            // A temporary failure decides nothing.
            if error.isTemporary { throw error }
            return nil
        }
    }

    private static func findIPTables(
        _ backend: IPTables.Backend?, _ families: Set<IPFamily>, testingRules: Bool, reason: String
    ) async throws(DataplaneError) -> NodePacketFilter {
        let iptables = try await IPTables.detect(backend, families: families, testingRules: testingRules)
        _ = try IPSetClient()
        return NodePacketFilter(
            iptables: iptables, families: iptables.families, unavailable: iptables.unavailable, reason: reason)
    }

    private static func findTables(
        _ families: Set<IPFamily>, _ catalogue: NodeState = NodeState(), testingRules: Bool, reason: String
    ) throws(DataplaneError) -> NodePacketFilter {
        guard testingRules else { return NodePacketFilter(iptables: nil, families: families, unavailable: [:], reason: reason) }
        let client = try NFTablesClient()
        var unavailable: [IPFamily: String] = [:]
        for family in IPFamily.allCases where families.contains(family) {
            let commands = RuleTable.probe(family, catalogue)
            do throws(NFTTransactionError) {
                try client.transact(commands, table: probeTable, family)
            } catch {
                let reason = RuleTable.explanation(error, of: commands, family, .current)
                if error.isTemporary { throw DataplaneError("nftables", reason, isTemporary: true) }
                unavailable[family] = "nftables: \(reason)"
            }
        }
        let working = families.subtracting(unavailable.keys)
        guard !working.isEmpty else { throw DataplaneError("nftables", unavailable.values.sorted().joined(separator: "; ")) }
        return NodePacketFilter(iptables: nil, families: working, unavailable: unavailable, reason: reason)
    }

    /// What iptables lacks for the families and rules; nil if nothing is known to be missing.
    private func shortcoming(_ families: Set<IPFamily>, _ rules: [IPFamily: Rules]) async throws(DataplaneError) -> String? {
        guard let iptables else { return nil }
        if let (_, reason) = unavailable.min(by: { $0.key.rawValue < $1.key.rawValue }) { return reason }
        for family in IPFamily.allCases where families.contains(family) {
            guard let rules = rules[family], let prefix = iptables.prefixes[family] else { continue }
            // A node proxy that could write its rules needs no test.
            guard try await iptables.listing(catalogue: rules).chains.values.allSatisfy(\.isEmpty) else { return nil }
            if await MissingRuleParts().areNone(in: rules, prefix) { continue }
            // What is unclear decides nothing.
            guard let findings = await MissingRuleParts().find(rules, prefix)?.filter({ $0.absence != .unclear }) else { return nil }
            if let reason = MissingRuleParts.explanation(findings, family, iptables.backend, .current) { return reason }
        }
        return nil
    }

    private static let probeTable = "kube-ipvs-proxy-probe"

    /// The backends of iptables that are not in use and may contain rules of a node proxy, and that the node has no program to read.
    public func unreadableBackends() async -> [IPTables.Backend] {
        var suspected: [IPTables.Backend] = []
        // Every mode of a node proxy has rules in the table nat.
        if iptables?.backend != .legacy, IPFamily.allCases.contains(where: { LegacyTables.exist(among: [.nat], $0) }) {
            suspected.append(.legacy)
        }
        if iptables == nil, NodePacketFilter.hasRulesInNFTBackend { suspected.append(.nft) }
        var unreadable: [IPTables.Backend] = []
        for backend in suspected {
            let others = OtherBackends(iptables: [backend], hasIPSets: false, hasTables: false, catalogue: NodeState())
            if await !others.missingPrograms().isEmpty { unreadable.append(backend) }
        }
        return unreadable
    }

    /// Whether iptables-nft has the chain that each mode of kube-proxy has. Its tables are tables of nf_tables; what cannot be read is unknown.
    private static var hasRulesInNFTBackend: Bool {
        guard let client = try? NFTablesClient() else { return false }
        return IPFamily.allCases.contains { family in
            (try? client.chains(table: Rules.Table.nat.rawValue, family))?.contains { $0.name == "KUBE-SERVICES" } ?? false
        }
    }

    /// Whether this program has a table of nf_tables in any family.
    private static func hasTable() throws(DataplaneError) -> Bool {
        let client = try NFTablesClient()
        for family in IPFamily.allCases where try client.hasTable(BackendRules.tableName, family) { return true }
        return false
    }

    /// - Parameter catalogue: a state with all chains, jumps and sets of the proxy; their contents do not matter.
    public func rules(_ catalogue: NodeState) throws(DataplaneError) -> any PacketFilter {
        guard let iptables else { return try NFTablesFilter(catalogue: catalogue) }
        return try IPTablesFilter(catalogue: catalogue, iptables: iptables)
    }

    /// A rule in a chain, as this packet filter prints it.
    public func text(_ rule: Rule, in chain: Rules.Chain, _ family: IPFamily, _ catalogue: NodeState) -> String {
        switch kind {
        case .iptables: "-A \(chain.name) \(RuleText.text(rule, family))"
        case .nftables: RuleNotation.line(rule, in: chain, family, catalogue)
        }
    }
}
