/// A backend of iptables.
///
/// The two backends use different subsystems of the kernel. Packets pass the rules of both.
public enum IPTablesBackend: String, Hashable, Sendable, CaseIterable {
    case legacy, nft

    public var other: IPTablesBackend { self == .legacy ? .nft : .legacy }
}

/// The rules of node proxies in one backend of iptables, in one family, for removal: this program's, those of kube-proxy's ipvs mode, which
/// have the same names, and those of its iptables mode.
public struct BackendRules: Hashable, Sendable {
    public var backend: IPTablesBackend
    public var family: IPFamily
    /// Chains that no rule of others refers to.
    public var chains: Set<Rules.Chain>
    public var jumps: [Leftovers.Jump]

    public init(_ backend: IPTablesBackend, _ family: IPFamily, chains: Set<Rules.Chain>, jumps: [Leftovers.Jump]) {
        self.backend = backend
        self.family = family
        self.chains = chains
        self.jumps = jumps
    }
}
