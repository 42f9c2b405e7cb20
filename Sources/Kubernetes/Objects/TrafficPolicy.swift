/// Which endpoints traffic may reach (`Service.spec.externalTrafficPolicy`, `Service.spec.internalTrafficPolicy`).
public enum TrafficPolicy: String, Hashable, Sendable, CaseIterable {
    case cluster = "Cluster"
    case local = "Local"
}
