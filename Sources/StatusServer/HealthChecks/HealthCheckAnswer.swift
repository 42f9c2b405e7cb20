internal import Model

/// What a health check node port says.
enum HealthCheckAnswer {
    /// 200 while this node has endpoints of the Service and the proxy keeps up; the weight lets load balancers spread by the number of endpoints.
    static func response(_ service: NamespacedName, localEndpoints: Int, isProxyHealthy: Bool) -> StatusResponse {
        let body = """
            {
            \t"service": {
            \t\t"namespace": "\(service.namespace)",
            \t\t"name": "\(service.name)"
            \t},
            \t"localEndpoints": \(localEndpoints),
            \t"serviceProxyHealthy": \(isProxyHealthy)
            }
            """
        return .of(
            localEndpoints > 0 && isProxyHealthy ? 200 : 503, type: "application/json", body,
            more: [.init("X-Load-Balancing-Endpoint-Weight", "\(localEndpoints)")])
    }
}
