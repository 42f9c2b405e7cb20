internal import Model

/// Finds and removes the rules and sets of node proxies in the backends that this program does not use.
struct OtherBackends: Sendable {
    let iptables: [IPTablesBackend]
    /// Whether ipsets are not in use.
    let hasIPSets: Bool
    /// Whether this program's tables of nf_tables are not in use.
    let hasTables: Bool
    /// The chains and jumps that the proxy owns, by name.
    let catalogue: [IPFamily: Rules]
    /// The names of the sets that the proxy owns.
    let sets: [IPFamily: Set<AddressSet.Name>]

    /// - Parameter catalogue: a state with all chains, jumps and sets of the proxy; their contents do not matter.
    init(iptables: [IPTablesBackend], hasIPSets: Bool, hasTables: Bool, catalogue: NodeState) {
        self.iptables = iptables
        self.hasIPSets = hasIPSets
        self.hasTables = hasTables
        self.catalogue = catalogue.rules
        sets = Dictionary(grouping: catalogue.sets.values, by: \.family).mapValues { Set($0.map { AddressSet.Name($0.name.text) }) }
    }

    /// Returns the rules and sets of one family, rules before the sets that they refer to. A backend without programs, or without support in
    /// the kernel, has none.
    ///
    /// It creates no tables and loads no modules: `iptables-legacy-save` lists the tables that the kernel has.
    @concurrent func observe(_ family: IPFamily) async throws(DataplaneError) -> [BackendRules] {
        var all: [BackendRules] = []
        for backend in iptables { if let rules = try await observe(family, in: backend) { all.append(rules) } }
        if let sets = try observeSets(family) { all.append(sets) }
        if let table = try observeTable(family) { all.append(table) }
        return all
    }

    /// Returns the rules of one family in one backend of iptables; nil if there are none.
    func observe(_ family: IPFamily, in backend: IPTablesBackend) async throws(DataplaneError) -> BackendRules? {
        guard let catalogue = catalogue[family], mayHaveRules(family, in: backend),
            case .found(let iptables) = try await Detection().find(backend, families: [family], testingRules: false),
            let saved = try await iptables.savedIfAvailable(family)
        else { return nil }
        return LeftoverRules.parse(saved, in: backend, catalogue: catalogue)
    }

    /// Whether the kernel has a table in which rules of a node proxy may be. Finding out starts no program.
    private func mayHaveRules(_ family: IPFamily, in backend: IPTablesBackend) -> Bool {
        switch backend {
        case .legacy: return LegacyTables.exist(among: Rules.Table.allCases, family)
        case .nft:
            // If nf_tables cannot be read, the program reports the reason.
            guard let client = try? NFTablesClient() else { return true }
            return Rules.Table.allCases.contains { (try? client.hasTable($0.rawValue, family)) ?? true }
        }
    }

    /// Returns the ipsets of a family; nil if there are none.
    func observeSets(_ family: IPFamily) throws(DataplaneError) -> BackendRules? {
        guard hasIPSets, let names = sets[family] else { return nil }
        let found = try OldIPSets.existing(names)
        return found.isEmpty ? nil : BackendRules(.ipset, family, sets: found)
    }

    /// Returns this program's table of a family; nil if it does not exist.
    func observeTable(_ family: IPFamily) throws(DataplaneError) -> BackendRules? {
        guard hasTables, try NFTablesClient().hasTable(BackendRules.tableName, family) else { return nil }
        return BackendRules(.nftables, family)
    }

    /// How to remove the rules that refer to sets; empty if no program is missing.
    private func adviceIfInUse(_ error: DataplaneError) async -> String {
        guard error.reason.contains(OldIPSets.inUse) else { return "" }
        let missing = await missingPrograms()
        guard !missing.isEmpty else { return "" }
        return ": rules of a node proxy that are still in effect cannot be read without \(missing.joined(separator: " and ")): "
            + "restart the proxy once where these programs are installed, or reboot the node"
    }

    /// Returns the programs that this node does not have: `iptables-legacy`, `iptables-nft`.
    func missingPrograms() async -> [String] {
        var missing: [String] = []
        for backend in iptables {
            // A program that could not be run for now is not missing.
            if case .unavailable? = try? await Detection().find(backend, families: Set(IPFamily.allCases), testingRules: false) {
                missing.append("iptables-\(backend.rawValue)")
            }
        }
        return missing
    }

    @concurrent func remove(_ rules: BackendRules) async throws(DataplaneError) {
        switch rules.backend {
        case .iptables(let backend):
            switch try await Detection().find(backend, families: [rules.family], testingRules: false) {
            case .found(let iptables): try await iptables.restore(RulesText.remove(rules), rules.family)
            case .unavailable(let reason): throw DataplaneError("\(rules.backend)", reason)
            }
        case .ipset:
            do throws(DataplaneError) {
                try OldIPSets.destroy(rules.sets)
            } catch {
                throw DataplaneError(error.request, error.reason + (await adviceIfInUse(error)), isTemporary: error.isTemporary)
            }
        case .nftables: try NFTablesClient().deleteTable(BackendRules.tableName, rules.family)
        }
    }
}
