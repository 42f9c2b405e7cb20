public import Model

/// The iptables programs of this node.
///
/// All programs of a node must use the same backend: packets pass the rules of both.
public struct IPTables: Sendable {
    public typealias Backend = IPTablesBackend

    public let backend: Backend
    /// The families with a working `nat` table.
    public var families: Set<IPFamily> { Set(prefixes.keys) }
    /// Whether MASQUERADE supports `--random-fully` (iptables 1.6.2 and later).
    public let hasRandomFully: Bool
    /// The preferred backends that do not work on this node, each with the reason: `legacy: not found`.
    public internal(set) var skipped: [String] = []
    /// The families that were tested and do not work, each with the reason and how to fix it.
    public internal(set) var unavailable: [IPFamily: String] = [:]
    /// The prefix of program names: `iptables` or `iptables-legacy`, `ip6tables`…
    let prefixes: [IPFamily: String]

    /// The time to wait for the xtables lock, in seconds.
    static let lockWait = "5"

    init(backend: Backend, hasRandomFully: Bool, prefixes: [IPFamily: String]) {
        self.backend = backend
        self.hasRandomFully = hasRandomFully
        self.prefixes = prefixes
    }

    /// Detects the iptables programs to use.
    ///
    /// Fails with a temporary error if a program could not be tested for now, for one family or both.
    ///
    /// - Parameters:
    ///   - choice: nil to detect the backend: the one with the kubelet's hint chain, else the one with rules of a node proxy, else the one
    ///     of the unsuffixed name, else the one that works.
    ///   - families: the families to test.
    ///   - testingRules: whether to test the kernel by creating and removing a chain in one transaction; if false, only runs the programs.
    public static func detect(
        _ choice: Backend?, families: Set<IPFamily> = Set(IPFamily.allCases), testingRules: Bool = true
    ) async throws(DataplaneError) -> IPTables {
        try await Detection().find(choice, families: families, testingRules: testingRules)
    }

    // MARK: Listing and restoring rules

    /// The proxy's chains and jumps of a family in the kernel, with their counters.
    func listing(catalogue: Rules) async throws(DataplaneError) -> RulesText.Listing {
        RulesText.listing(try await saved(catalogue.family), catalogue: catalogue)
    }

    /// All rules of a family with their counters, as printed by `iptables-save -c`.
    func saved(_ family: IPFamily) async throws(DataplaneError) -> String {
        guard let prefix = prefixes[family] else { return "" }
        return try IPTables.output(of: try await save(prefix), "\(prefix)-save")
    }

    /// The complete output of `iptables-save`: what it lacks would be restored, and the jumps that are still there would be repeated.
    static func output(of listing: Command.Result, _ program: String) throws(DataplaneError) -> String {
        if let error = IPTablesResult(listing).error(program) { throw error }
        guard RulesText.isComplete(listing.output) else {
            throw DataplaneError(program, "the output is incomplete or not that of iptables-save", isTemporary: true)
        }
        return listing.output
    }

    /// Like `saved`, but nil if the kernel lacks the backend, and an error if a table of the proxy is missing in the output.
    func savedIfAvailable(_ family: IPFamily) async throws(DataplaneError) -> String? {
        guard let prefix = prefixes[family] else { return nil }
        return try IPTables.completeRules(in: try await save(prefix), of: "\(prefix)-save")
    }

    /// - Returns: the output; nil if the kernel lacks the backend.
    static func completeRules(in listing: Command.Result, of program: String) throws(DataplaneError) -> String? {
        if !listing.succeeded, absences.contains(where: listing.standardError.contains) { return nil }
        let output = try output(of: listing, program)
        // iptables-nft-save prints this instead of a table with an expression that it does not know, and succeeds (iptables/nft.c).
        for table in Rules.Table.allCases where output.contains("# Table `\(table.rawValue)' is incompatible") {
            throw DataplaneError(
                program,
                "cannot read table \(table.rawValue), because nft added rules to it that iptables does not know: "
                    + "see nft list table \(program.hasPrefix("ip6") ? "ip6" : "ip") \(table.rawValue), and move these rules to another table"
            )
        }
        return output
    }

    /// The messages if the kernel lacks nf_tables, nfnetlink, the family or legacy tables.
    private static let absences = [
        "rule set generation id: Invalid argument", "Operation not supported", "Protocol not supported", "Protocol not available",
        "Address family not supported", "Table does not exist",
    ]

    private func save(_ prefix: String) async throws(DataplaneError) -> Command.Result { try await Command.run("\(prefix)-save", ["-c"]) }

    func restore(_ text: String, _ family: IPFamily) async throws(DataplaneError) {
        guard let prefix = prefixes[family] else {
            throw DataplaneError("iptables", "no working nat table for \(family.rawValue)")
        }
        let result = try await Command.run("\(prefix)-restore", ["-w", IPTables.lockWait, "--noflush", "--counters"], input: text)
        if let error = IPTablesResult(result).error("\(prefix)-restore") { throw error }
    }
}
