internal import Model
internal import SystemCalls

extension IPTables {
    /// Whether the kernel has legacy tables in this network namespace that may contain rules of a node proxy, and the node has no program to
    /// read them.
    public func hasUnreadableLegacyTables() async -> Bool {
        guard backend == .nft, LegacyTables.mayHaveRules(LegacyTables.files.map(LegacyTables.read)) else { return false }
        return await !OtherBackends(iptables: [.legacy], hasIPSets: false, hasTables: false, catalogue: NodeState()).missingPrograms()
            .isEmpty
    }
}

/// The tables of iptables-legacy in this network namespace.
enum LegacyTables {
    /// The names of the tables of a family, one in each line; missing if the kernel has no legacy iptables, and empty until a program uses a
    /// table (net/netfilter/x_tables.c, `xt_table_seq_show`).
    static let files = ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"]

    static func read(_ path: String) -> String {
        // A file that cannot be read has no table that a program could read either.
        (try? SmallFile.readBeginning(of: path, limit: 1 << 16)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// - Parameter names: the contents of the files. A node proxy always has rules in the table `nat`.
    static func mayHaveRules(_ names: [String]) -> Bool { names.contains { $0.split(separator: "\n").contains("nat") } }
}
