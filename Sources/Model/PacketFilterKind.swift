/// What carries out this program's rules: iptables with ipsets, or nf_tables.
public enum PacketFilterKind: String, Hashable, Sendable, CaseIterable { case iptables, nftables }
