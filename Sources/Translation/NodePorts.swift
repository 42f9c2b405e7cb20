public import Model

/// On which of this node's addresses node ports answer (`--nodeport-addresses`).
public enum NodePortAddresses: Hashable, Sendable {
    case all
    /// Addresses in these ranges; a family without a range has all of its addresses.
    case ranges([CIDR])
    /// The addresses of the Node object, one a family.
    case primary

    /// - Parameters:
    ///   - local: addresses of this node on all interfaces but `kube-ipvs0`.
    ///   - primary: the Node object's first address of each family.
    func addresses(_ family: IPFamily, local: Set<IPAddress>, primary: [IPAddress]) -> [IPAddress] {
        let candidates = local.filter { $0.family == family && !$0.isLoopback }
        switch self {
        case .all: return candidates.filter(NodePortAddresses.isReachable).sorted()
        case .primary: return primary.filter { $0.family == family && !$0.isLoopback }
        case .ranges(let ranges):
            let ours = ranges.filter { $0.family == family }
            if ours.isEmpty || ours.contains(where: { $0.prefixLength == 0 }) {
                return candidates.filter(NodePortAddresses.isReachable).sorted()
            }
            return candidates.filter { address in ours.contains { $0.contains(address) } }.sorted()
        }
    }

    /// A link-local IPv6 address means another host on every link; an IPv4 one is an ordinary address of some clouds.
    private static func isReachable(_ address: IPAddress) -> Bool { !(address.family == .ipv6 && address.isLinkLocal) }
}
