public import Model

/// How much is known of the Nodes besides this one, whose addresses no Service may take.
public enum OtherNodes: Hashable, Sendable {
    /// All that are needed are there.
    case known
    /// They are being listed; until then no Service gets an address that might be a Node's.
    case pending
    /// They could not be listed in time; Services are served without the comparison until they are.
    case unavailable
}

extension Service {
    /// Whether the Service has addresses that nobody but this node's comparison keeps from being a Node's: external IPs and load balancer IPs in VIP mode.
    ///
    /// - Parameter allowsExternalIP: whether an external IP may be served at all.
    public func hasExternalVIPs(allowing allowsExternalIP: (IPAddress) -> Bool) -> Bool {
        guard type != .externalName, !isHeadless else { return false }
        return externalIPs.contains { IPAddress($0).map(allowsExternalIP) ?? false }
            || loadBalancerIngress.contains { $0.isVIP && IPAddress($0.ip) != nil }
    }
}
