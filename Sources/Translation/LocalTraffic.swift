public import Model

/// How traffic from this node's own pods is detected (`--detect-local-mode`).
public enum LocalTraffic: Hashable, Sendable {
    /// By the cluster's pod ranges.
    case clusterCIDR([CIDR])
    /// By this node's pod ranges (`Node.spec.podCIDRs`).
    case nodeCIDR
    /// By the bridge that pods are attached to.
    case bridgeInterface(String)
    /// By the name prefix of pods' interfaces.
    case interfaceNamePrefix(String)

    struct Match: Hashable {
        /// Matches traffic that does not come from this node's pods.
        var notLocal: Rule.Match
    }

    /// Returns nil if local traffic cannot be detected in this family.
    func match(_ family: IPFamily, podCIDRs: [CIDR]) -> Match? {
        switch self {
        case .clusterCIDR(let ranges): LocalTraffic.match(ranges, family)
        case .nodeCIDR: LocalTraffic.match(podCIDRs, family)
        case .bridgeInterface(let name): Match(notLocal: .inputInterface(name, isNegated: true))
        case .interfaceNamePrefix(let prefix): Match(notLocal: .inputInterface(prefix, isPrefix: true, isNegated: true))
        }
    }

    private static func match(_ ranges: [CIDR], _ family: IPFamily) -> Match? {
        ranges.first { $0.family == family }.map { Match(notLocal: .source($0, isNegated: true)) }
    }
}
