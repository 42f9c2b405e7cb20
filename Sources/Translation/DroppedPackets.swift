public import Model

/// The reason and family of packets that this program's rules drop.
public struct DroppedPackets: Hashable, Sendable {
    public enum Reason: String, Hashable, Sendable, CaseIterable {
        /// `externalTrafficPolicy` is Local, and this node has no endpoint.
        case noLocalEndpoints
        /// The client is in none of `loadBalancerSourceRanges`.
        case sourceRanges
    }

    public var reason: Reason
    public var family: IPFamily

    public init(_ reason: Reason, _ family: IPFamily) {
        self.reason = reason
        self.family = family
    }

    /// The chains whose DROP rules are counted, and the reason for which they drop.
    private static let reasons: [Rules.Chain: Reason] = [
        ProxyRules.firewall: .noLocalEndpoints, ProxyRules.sourceRanges: .sourceRanges, ProxyRules.outFilter: .sourceRanges,
    ]

    /// Returns the dropped packets by reason and family, from the packets that each chain dropped.
    public static func counts(_ chains: [IPFamily: [Rules.Chain: UInt64]]) -> [DroppedPackets: UInt64] {
        chains.reduce(into: [:]) { counts, entry in
            for (chain, packets) in entry.value {
                guard let reason = DroppedPackets.reasons[chain] else { continue }
                counts[DroppedPackets(reason, entry.key), default: 0] += packets
            }
        }
    }
}

/// A traffic policy requires endpoints on this node, which has none, while other nodes have some.
public struct NoLocalEndpoints: Hashable, Sendable {
    /// Which of a Service's traffic policies requires them (`spec.internalTrafficPolicy`, `spec.externalTrafficPolicy`).
    public enum Policy: String, Hashable, Sendable, CaseIterable { case `internal`, external }

    public var policy: Policy
    public var family: IPFamily

    public init(_ policy: Policy, _ family: IPFamily) {
        self.policy = policy
        self.family = family
    }
}
