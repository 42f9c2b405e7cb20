/// A port on which load balancers check whether a node has endpoints of a Service (`Service.spec.healthCheckNodePort`).
public struct HealthCheckNodePort: Hashable, Sendable {
    public var port: UInt16
    /// Number of addresses of ready endpoints on this node, for each family of the Service; terminating endpoints do not count.
    public var localEndpoints: [IPFamily: Int]

    public init(port: UInt16, localEndpoints: [IPFamily: Int]) {
        self.port = port
        self.localEndpoints = localEndpoints
    }
}
