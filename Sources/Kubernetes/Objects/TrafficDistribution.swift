/// Which endpoints traffic prefers (`Service.spec.trafficDistribution`, KEP-3015 and KEP-4444).
public enum TrafficDistribution: String, Hashable, Sendable, CaseIterable {
    /// The old name of `PreferSameZone`.
    case preferClose = "PreferClose"
    case preferSameZone = "PreferSameZone"
    /// The node first, then its zone.
    case preferSameNode = "PreferSameNode"
}
