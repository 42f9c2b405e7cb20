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

/// The addresses that stand for this node, one a family, and the family that counts first.
public struct NodeIPs: Hashable, Sendable {
    public var primary: IPFamily
    /// The primary family's first; empty where none is known.
    public var addresses: [IPAddress]

    /// - Parameters:
    ///   - hostAddresses: the Node object's, one a family.
    ///   - bindAddress: takes the place of the one of its family, and makes it the primary family; unspecified for no change.
    public init(hostAddresses: [IPAddress], bindAddress: IPAddress) {
        let isOverridden = !bindAddress.isUnspecified
        let primary = isOverridden ? bindAddress.family : hostAddresses.first?.family ?? .ipv4
        var known = hostAddresses.filter { !isOverridden || $0.family != bindAddress.family }
        if isOverridden { known.insert(bindAddress, at: 0) }
        self.primary = primary
        addresses = known.filter { $0.family == primary } + known.filter { $0.family != primary }
    }
}

/// On which of this node's addresses of a family health check node ports listen.
public enum HealthCheckAddresses: Hashable, Sendable {
    case all
    case only([IPAddress])
}

extension NodePortAddresses {
    /// Where node ports answer and, unlike them, on loopback addresses too, if a range has them.
    ///
    /// - Parameters:
    ///   - local: addresses of this node on all interfaces but `kube-ipvs0`.
    ///   - primary: the Node object's first address of each family.
    func healthCheckAddresses(_ family: IPFamily, local: Set<IPAddress>, primary: [IPAddress]) -> HealthCheckAddresses {
        switch self {
        case .all: return .all
        case .primary: return .only(primary.filter { $0.family == family })
        case .ranges(let ranges):
            let ours = ranges.filter { $0.family == family }
            if ours.isEmpty || ours.contains(where: { $0.prefixLength == 0 }) { return .all }
            return .only(local.filter { address in ours.contains { $0.contains(address) } }.sorted())
        }
    }
}
