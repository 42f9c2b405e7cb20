/// What a kube-proxy that ran in another mode left of one family: it leads traffic past the virtual servers, or is in the way.
public struct Leftovers: Hashable, Sendable {
    /// A rule of somebody's chain that leads into what is left over.
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
    /// Whether there is the table of nftables mode, `kube-proxy`.
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
