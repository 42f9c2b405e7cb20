internal import Model
internal import SystemCalls

/// The tables of iptables-legacy in this network namespace.
enum LegacyTables {
    /// Whether the kernel has one of the tables in a family. Finding out starts no program.
    static func exist(among tables: [Rules.Table], _ family: IPFamily) -> Bool {
        // A file that cannot be read has no table that a program could read either.
        guard let names = try? SmallFile.readBeginning(of: file(of: family), limit: 1 << 16) else { return false }
        return exist(among: tables, in: String(decoding: names, as: UTF8.self))
    }

    /// - Parameter names: the content of the file.
    static func exist(among tables: [Rules.Table], in names: String) -> Bool {
        names.split(separator: "\n").contains { name in tables.contains { $0.rawValue == name } }
    }

    /// The names of the tables of a family, one in each line; missing if the kernel has no legacy iptables, and empty until a program uses a
    /// table (net/netfilter/x_tables.c, `xt_table_seq_show`).
    private static func file(of family: IPFamily) -> String {
        switch family {
        case .ipv4: "/proc/net/ip_tables_names"
        case .ipv6: "/proc/net/ip6_tables_names"
        }
    }
}
