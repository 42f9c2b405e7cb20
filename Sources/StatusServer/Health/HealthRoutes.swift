internal import MetricsRegistry

/// The health checks of the node proxy for load balancers and the kubelet: `/healthz` and `/livez`.
public struct HealthRoutes: Sendable {
    private let start: StartupHealth

    public init(_ start: StartupHealth) { self.start = start }

    public func answer(_ request: StatusRequest, at now: Moment) -> StatusResponse {
        switch request.path {
        case "/healthz":
            let response = HealthRoutes.healthz(start.health, nodeEligible: start.isNodeEligible, at: now)
            start.board?.metrics.healthz.add(1, ["code": "\(response.status)"])
            return response
        case "/livez":
            let response = HealthRoutes.livez(start.health, at: now)
            start.board?.metrics.livez.add(1, ["code": "\(response.status)"])
            return response
        default: return .notFound
        }
    }

    /// Returns 200 if the node may get traffic: it is programmed, healthy and eligible.
    static func healthz(_ health: Health, nodeEligible: Bool, at now: Moment) -> StatusResponse {
        let isHealthy = health.standbyFor != nil || health.isProgrammed && health.isHealthy(at: now)
        return .json(
            health.json(isHealthy: isHealthy, nodeEligible: nodeEligible, at: now), status: isHealthy && nodeEligible ? 200 : 503)
    }

    /// Returns 503 only if a restart may help: not while the cluster is unknown, nor for an ineligible node.
    static func livez(_ health: Health, at now: Moment) -> StatusResponse {
        let isHealthy = health.isHealthy(at: now)
        return .json(health.json(isHealthy: isHealthy, nodeEligible: nil, at: now), status: isHealthy ? 200 : 503)
    }
}
