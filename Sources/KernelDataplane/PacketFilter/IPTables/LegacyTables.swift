internal import Model
internal import SystemCalls

/// The tables of iptables-legacy in this network namespace.
enum LegacyTables {
    /// The names of the tables of a family, one in each line; missing if the kernel has no legacy iptables, and empty until a program uses a
    /// table (net/netfilter/x_tables.c, `xt_table_seq_show`).
    static let files = ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"]

    static func read(_ path: String) -> String {
        // A file that cannot be read has no table that a program could read either.
        (try? SmallFile.readBeginning(of: path, limit: 1 << 16)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// Whether this network namespace has a legacy table of a family that may contain rules of any mode of a node proxy.
    static func exist(_ family: IPFamily) -> Bool { exist(in: read(files[family == .ipv4 ? 0 : 1])) }

    /// - Parameter names: the content of a file.
    static func exist(in names: String) -> Bool { names.split(separator: "\n").contains { Rules.Table(rawValue: String($0)) != nil } }

    /// - Parameter names: the contents of the files. A node proxy always has rules in the table `nat`.
    static func mayHaveRules(_ names: [String]) -> Bool { names.contains { $0.split(separator: "\n").contains("nat") } }
}
