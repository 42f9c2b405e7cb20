public import Model

/// The addresses of this node on which node ports are served (`--nodeport-addresses`).
public enum NodePortAddresses: Hashable, Sendable {
    case all
    /// Addresses in these ranges; for a family without a range, all of its addresses.
    case ranges([CIDR])
    /// This node's primary address of each family.
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
            let familyRanges = ranges.filter { $0.family == family }
            if familyRanges.isEmpty || familyRanges.contains(where: { $0.prefixLength == 0 }) {
                return candidates.filter(NodePortAddresses.isReachable).sorted()
            }
            return candidates.filter { address in familyRanges.contains { $0.contains(address) } }.sorted()
        }
    }

    /// A link-local IPv6 address is unique only on its link; some clouds use link-local IPv4 addresses as ordinary ones.
    private static func isReachable(_ address: IPAddress) -> Bool { !(address.family == .ipv6 && address.isLinkLocal) }
}

/// This node's IP addresses, one per family, and its primary family.
public struct NodeIPs: Hashable, Sendable {
    public var primary: IPFamily
    /// The primary family's address comes first; empty if none is known.
    public var addresses: [IPAddress]

    /// - Parameters:
    ///   - hostAddresses: the Node object's addresses, one per family.
    ///   - bindAddress: replaces the address of its family and makes that the primary family; unspecified for no change.
    public init(hostAddresses: [IPAddress], bindAddress: IPAddress) {
        let isOverridden = !bindAddress.isUnspecified
        let primary = isOverridden ? bindAddress.family : hostAddresses.first?.family ?? .ipv4
        var known = hostAddresses.filter { !isOverridden || $0.family != bindAddress.family }
        if isOverridden { known.insert(bindAddress, at: 0) }
        self.primary = primary
        addresses = known.filter { $0.family == primary } + known.filter { $0.family != primary }
    }
}

/// The addresses of this node in one family on which health check node ports listen.
public enum HealthCheckAddresses: Hashable, Sendable {
    case all
    case only([IPAddress])
}

extension NodePortAddresses {
    /// Returns the addresses for node ports and, unlike for these, loopback addresses as well if a range contains them.
    ///
    /// - Parameters:
    ///   - local: addresses of this node on all interfaces but `kube-ipvs0`.
    ///   - primary: the Node object's first address of each family.
    func healthCheckAddresses(_ family: IPFamily, local: Set<IPAddress>, primary: [IPAddress]) -> HealthCheckAddresses {
        switch self {
        case .all: return .all
        case .primary: return .only(primary.filter { $0.family == family })
        case .ranges(let ranges):
            let familyRanges = ranges.filter { $0.family == family }
            if familyRanges.isEmpty || familyRanges.contains(where: { $0.prefixLength == 0 }) { return .all }
            return .only(local.filter { address in familyRanges.contains { $0.contains(address) } }.sorted())
        }
    }
}
