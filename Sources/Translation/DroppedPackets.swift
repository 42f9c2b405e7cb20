public import Model

/// Packets that rules of ours drop, by what they are dropped for.
public struct DroppedPackets: Hashable, Sendable {
    public enum Reason: String, Hashable, Sendable, CaseIterable {
        /// `externalTrafficPolicy: Local`, and there is no endpoint on this node.
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

    /// Packets of each kind, from those that each chain of ours dropped.
    public static func counts(_ chains: [IPFamily: [Rules.Chain: UInt64]]) -> [DroppedPackets: UInt64] {
        chains.reduce(into: [:]) { counts, entry in
            for (chain, packets) in entry.value {
                guard let reason = ProxyRules.dropping[chain] else { continue }
                counts[DroppedPackets(reason, entry.key), default: 0] += packets
            }
        }
    }
}

/// A traffic policy asks for endpoints of this node, which has none, while others have some.
public struct NoLocalEndpoints: Hashable, Sendable {
    /// Which of a Service's policies asks for it (`spec.internalTrafficPolicy`, `spec.externalTrafficPolicy`).
    public enum Policy: String, Hashable, Sendable, CaseIterable { case `internal`, external }

    public var policy: Policy
    public var family: IPFamily

    public init(_ policy: Policy, _ family: IPFamily) {
        self.policy = policy
        self.family = family
    }
}
