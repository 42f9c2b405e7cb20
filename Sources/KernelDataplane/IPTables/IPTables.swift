public import Model

/// The programs that hold the rules of this node.
///
/// Two generations of iptables write into two different places of the kernel, and rules in the wrong one do nothing: all programs of a node must use the same.
public struct IPTables: Sendable {
    public enum Backend: String, Sendable, CaseIterable {
        case legacy, nft
    }

    public let backend: Backend
    /// Families whose `nat` table works.
    public var families: Set<IPFamily> { Set(prefixes.keys) }
    /// Whether MASQUERADE takes `--random-fully` (iptables 1.6.2 and later).
    public let hasRandomFully: Bool
    /// The generations that come before this one on this node and do not work, each with the reason: `legacy: not found`.
    public internal(set) var passedOver: [String] = []
    /// The name that the programs begin with: `iptables` or `iptables-legacy`, `ip6tables`…
    private let prefixes: [IPFamily: String]

    /// Seconds to wait for another program's lock.
    static let lockWait = "5"

    init(backend: Backend, hasRandomFully: Bool, prefixes: [IPFamily: String]) {
        self.backend = backend
        self.hasRandomFully = hasRandomFully
        self.prefixes = prefixes
    }

    /// Finds the right programs.
    ///
    /// Fails with a temporary error where a program could not be tried for now, for one family or both.
    ///
    /// - Parameters:
    ///   - choice: nil finds out: where the kubelet left its hint, else where a node proxy's rules are, else what the plain name stands for, else whichever works.
    ///   - families: those that the node may have; no others are asked about.
    ///   - trying: whether to see if the kernel takes a rule, by a chain that is made and removed in one transaction; without it, only that the programs run.
    public static func detect(
        _ choice: Backend?, families: Set<IPFamily> = Set(IPFamily.allCases), trying: Bool = true
    ) async throws(DataplaneError) -> IPTables {
        try await Detection().find(choice, families: families, trying: trying)
    }

    // MARK: Using them

    /// What node proxies left in one place, of one family: our chains and jumps, and those of kube-proxy's iptables mode.
    public struct RulesLeftBehind: Sendable {
        private let iptables: IPTables
        private let rules: Rules
        private let left: Leftovers

        fileprivate init?(_ iptables: IPTables, _ catalogue: Rules) async throws(DataplaneError) {
            guard let saved = try await iptables.savedIfThere(catalogue.family) else { return nil }
            self.iptables = iptables
            rules = RulesText.parse(saved, catalogue: catalogue)
            left = LeftoverRules.parse(saved, catalogue: catalogue)
            if rules.chains.isEmpty && rules.jumps.isEmpty && !left.hasRules { return nil }
        }

        public var chainCount: Int { rules.chains.count + left.chains.count }

        /// The command that a person would type for the same effect.
        public var command: String {
            let program = iptables.prefixes[rules.family] ?? ""
            return "\(program)-restore --noflush (remove \(rules.jumps.count + left.jumps.count) jumps, \(chainCount) chains)"
        }

        public func remove() async throws(DataplaneError) { try await iptables.restore(RulesText.remove(rules, left), rules.family) }
    }

    /// Finds them wherever they are: a node may have changed from one generation of iptables to the other since they were made.
    public static func remains(of catalogue: [Rules], in choice: Backend?) async throws(DataplaneError) -> [RulesLeftBehind] {
        var all: [RulesLeftBehind] = []
        for backend in choice.map({ [$0] }) ?? Backend.allCases {
            guard case .found(let iptables) = try await Detection().find(backend, families: Set(IPFamily.allCases), trying: false) else {
                continue
            }
            for rules in catalogue {
                if let remains = try await RulesLeftBehind(iptables, rules) { all.append(remains) }
            }
        }
        return all
    }

    /// Our chains and jumps of a family, as the kernel holds them, and what they have counted.
    func listing(catalogue: Rules) async throws(DataplaneError) -> RulesText.Listing {
        RulesText.listing(try await saved(catalogue.family), catalogue: catalogue)
    }

    /// All rules of a family and what they have counted, as `iptables-save -c` prints them.
    func saved(_ family: IPFamily) async throws(DataplaneError) -> String {
        guard let prefix = prefixes[family] else { return "" }
        let listing = try await save(prefix)
        if let error = IPTablesResult(listing).error("\(prefix)-save") { throw error }
        return listing.output
    }

    /// The same; nil where the kernel has no such tables.
    private func savedIfThere(_ family: IPFamily) async throws(DataplaneError) -> String? {
        guard let prefix = prefixes[family] else { return nil }
        let listing = try await save(prefix)
        switch IPTablesResult(listing) {
        case .notThere: return nil
        case let verdict: if let error = verdict.error("\(prefix)-save") { throw error }
        }
        return listing.output
    }

    private func save(_ prefix: String) async throws(DataplaneError) -> Command.Result { try await Command.run("\(prefix)-save", ["-c"]) }

    func restore(_ text: String, _ family: IPFamily) async throws(DataplaneError) {
        guard let prefix = prefixes[family] else {
            throw DataplaneError("iptables", "no working nat table for \(family.rawValue)")
        }
        let result = try await Command.run("\(prefix)-restore", ["-w", IPTables.lockWait, "--noflush", "--counters"], input: text)
        if let error = IPTablesResult(result).error("\(prefix)-restore") { throw error }
    }
}
