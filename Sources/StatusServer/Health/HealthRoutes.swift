internal import MetricsRegistry

/// What load balancers and the kubelet ask of the node proxy as a whole: `/healthz` and `/livez`.
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

    /// 200 where the node may get traffic: it is programmed, keeps up, and is here to stay.
    static func healthz(_ health: Health, nodeEligible: Bool, at now: Moment) -> StatusResponse {
        let isHealthy = health.isProgrammed && health.isHealthy(at: now)
        return .json(
            health.json(isHealthy: isHealthy, nodeEligible: nodeEligible, at: now), status: isHealthy && nodeEligible ? 200 : 503)
    }

    /// 200 where a restart would mend nothing: it is no use while the cluster is not known yet, and whatever becomes of the node.
    static func livez(_ health: Health, at now: Moment) -> StatusResponse {
        let isHealthy = health.isHealthy(at: now)
        return .json(health.json(isHealthy: isHealthy, nodeEligible: nil, at: now), status: isHealthy ? 200 : 503)
    }
}
