internal import Model

/// Finds and removes the rules of node proxies in backends of iptables that this program does not use.
struct RulesInBackends: Sendable {
    let backends: [IPTablesBackend]
    /// The chains and jumps that the proxy owns, by name.
    let catalogue: [IPFamily: Rules]

    /// Returns the rules of one family. A backend without programs, or without support in the kernel, has none.
    ///
    /// It creates no tables and loads no modules of iptables-legacy: `iptables-legacy-save` lists the tables that the kernel has.
    func observe(_ family: IPFamily) async throws(DataplaneError) -> [BackendRules] {
        var all: [BackendRules] = []
        for backend in backends { if let rules = try await observe(family, in: backend) { all.append(rules) } }
        return all
    }

    /// Returns the rules of one family in one backend; nil if there are none.
    func observe(_ family: IPFamily, in backend: IPTablesBackend) async throws(DataplaneError) -> BackendRules? {
        guard let catalogue = catalogue[family],
            case .found(let iptables) = try await Detection().find(backend, families: [family], testingRules: false),
            let saved = try await iptables.savedIfAvailable(family)
        else { return nil }
        return LeftoverRules.parse(saved, in: backend, catalogue: catalogue)
    }

    /// Returns the programs that this node does not have: `iptables-legacy`, `iptables-nft`.
    func missingPrograms() async -> [String] {
        var missing: [String] = []
        for backend in backends {
            // A program that could not be run for now is not missing.
            if case .unavailable? = try? await Detection().find(backend, families: Set(IPFamily.allCases), testingRules: false) {
                missing.append("iptables-\(backend.rawValue)")
            }
        }
        return missing
    }

    func remove(_ rules: BackendRules) async throws(DataplaneError) {
        switch try await Detection().find(rules.backend, families: [rules.family], testingRules: false) {
        case .found(let iptables): try await iptables.restore(RulesText.remove(rules), rules.family)
        case .unavailable(let reason): throw DataplaneError("iptables-\(rules.backend.rawValue)", reason)
        }
    }
}
