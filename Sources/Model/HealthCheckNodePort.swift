/// A port of every node where load balancers ask whether the node has endpoints of a Service (`Service.spec.healthCheckNodePort`).
public struct HealthCheckNodePort: Hashable, Sendable {
    public var port: UInt16
    /// How many addresses its ready endpoints on this node have, for each family that the Service has; what terminates is not counted.
    public var localEndpoints: [IPFamily: Int]

    public init(port: UInt16, localEndpoints: [IPFamily: Int]) {
        self.port = port
        self.localEndpoints = localEndpoints
    }
}
