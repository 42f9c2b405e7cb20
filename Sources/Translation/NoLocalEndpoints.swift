public import Model

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
