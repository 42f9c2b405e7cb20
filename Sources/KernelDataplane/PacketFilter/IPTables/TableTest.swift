internal import Model

/// Tests whether a table of iptables exists and may be changed.
struct TableTest {
    /// The chain that tests create. One that a killed process left is removed like other leftover rules.
    static let chain = "KUBE-IPVS-PROXY-PROBE"

    /// Runs a program: its name, arguments and input.
    var runCommand: (String, [String], String) async -> Command.Attempt

    /// Creates and removes a chain in one transaction. Listing is no test: a kernel without the tables has an empty list.
    ///
    /// - Parameter prefix: such as `iptables-legacy`.
    func verdict(_ prefix: String, _ table: Rules.Table) async -> IPTablesResult {
        let verdict = IPTablesResult(
            await runCommand("\(prefix)-restore", ["-w", IPTables.lockWait, "--noflush"], Self.removal(from: table)))
        guard case .unexplained(let standardError) = verdict else { return verdict }
        // iptables reports the reason. Every table has this chain.
        switch IPTablesResult(await runCommand(prefix, ["-w", IPTables.lockWait, "-t", table.rawValue, "-S", "OUTPUT"], "")) {
        case .works, .unexplained: return .inconclusive(standardError)
        case let explained: return explained
        }
    }

    /// The input of iptables-restore that removes the chain, whether it exists or not.
    static func removal(from table: Rules.Table) -> String { "*\(table.rawValue)\n:\(chain) - [0:0]\n-X \(chain)\nCOMMIT\n" }
}
