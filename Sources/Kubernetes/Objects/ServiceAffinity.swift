/// Whether a client keeps its endpoint (`Service.spec.sessionAffinity`).
public enum ServiceAffinity: String, Hashable, Sendable, CaseIterable {
    case none = "None"
    case clientIP = "ClientIP"
}
