/// Rules that a kube-proxy in another mode left in one family. They bypass the virtual servers or interfere with them.
public struct Leftovers: Hashable, Sendable {
    /// A rule of a built-in chain that jumps to a leftover chain.
    public struct Jump: Hashable, Sendable {
        public var table: Rules.Table
        /// `INPUT`, `FORWARD`, `OUTPUT`, `PREROUTING` or `POSTROUTING`.
        public var from: String
        /// What follows the chain's name, as `iptables-save` prints it.
        public var specification: String

        public init(_ table: Rules.Table, from: String, _ specification: String) {
            self.table = table
            self.from = from
            self.specification = specification
        }
    }

    public var family: IPFamily
    /// Chains of iptables mode.
    public var chains: Set<Rules.Chain>
    public var jumps: [Jump]
    /// Whether the table of nftables mode, `kube-proxy`, exists.
    public var hasTable: Bool

    public init(_ family: IPFamily, chains: Set<Rules.Chain> = [], jumps: [Jump] = [], hasTable: Bool = false) {
        self.family = family
        self.chains = chains
        self.jumps = jumps
        self.hasTable = hasTable
    }

    public var hasRules: Bool { !chains.isEmpty || !jumps.isEmpty }
    public var isEmpty: Bool { !hasRules && !hasTable }

    /// The name of the table of nftables mode, in the families `ip` and `ip6` of nf_tables.
    public static let tableName = "kube-proxy"
}
