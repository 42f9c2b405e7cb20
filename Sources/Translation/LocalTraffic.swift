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

    /// An iptables match.
    struct Match: Hashable {
        /// Matches traffic that does not come from this node's pods, such as `! -s 10.244.0.0/16`.
        var notLocal: String
    }

    /// Returns nil if local traffic cannot be detected in this family.
    func match(_ family: IPFamily, podCIDRs: [CIDR]) -> Match? {
        switch self {
        case .clusterCIDR(let ranges): LocalTraffic.match(ranges, family)
        case .nodeCIDR: LocalTraffic.match(podCIDRs, family)
        case .bridgeInterface(let name): Match(notLocal: "! -i \(name)")
        case .interfaceNamePrefix(let prefix): Match(notLocal: "! -i \(prefix)+")
        }
    }

    private static func match(_ ranges: [CIDR], _ family: IPFamily) -> Match? {
        ranges.first { $0.family == family }.map { Match(notLocal: "! -s \($0)") }
    }
}
