/// A backend of iptables.
///
/// The two backends use different subsystems of the kernel. Packets pass the rules of both.
public enum IPTablesBackend: String, Hashable, Sendable, CaseIterable {
    case legacy, nft

    public var other: IPTablesBackend { self == .legacy ? .nft : .legacy }
}

/// What contains rules and sets of a node proxy.
public enum RulesBackend: Hashable, Sendable, CustomStringConvertible {
    case iptables(IPTablesBackend)
    /// The sets that rules in both backends of iptables refer to.
    case ipset
    /// This program's tables of nf_tables.
    case nftables

    public var description: String {
        switch self {
        case .iptables(let backend): "iptables-\(backend.rawValue)"
        case .ipset: "ipset"
        case .nftables: "nftables"
        }
    }
}

/// The rules or sets of node proxies in one backend, in one family, for removal: this program's, those of kube-proxy's ipvs mode, which have
/// the same names, and those of its iptables mode.
public struct BackendRules: Hashable, Sendable {
    /// The name of this program's tables, in the families `ip` and `ip6` of nf_tables.
    public static let tableName = "kube-ipvs-proxy"

    public var backend: RulesBackend
    public var family: IPFamily
    /// Chains that no rule of others refers to.
    public var chains: Set<Rules.Chain>
    public var jumps: [Leftovers.Jump]
    public var sets: Set<AddressSet.Name>

    public init(
        _ backend: RulesBackend, _ family: IPFamily, chains: Set<Rules.Chain> = [], jumps: [Leftovers.Jump] = [],
        sets: Set<AddressSet.Name> = []
    ) {
        self.backend = backend
        self.family = family
        self.chains = chains
        self.jumps = jumps
        self.sets = sets
    }
}

extension IPFamily {
    /// The name of the family in nft.
    public var nftName: String { self == .ipv4 ? "ip" : "ip6" }
    /// This program's table.
    public var nftTable: String { "\(nftName) \(BackendRules.tableName)" }
}
