public import Model

/// A Service (`core/v1`), with `spec` and `status` laid flat.
public struct Service: Hashable, Sendable {
    public var metadata: ObjectMeta
    /// `spec.type`
    public var type: ServiceType
    /// `spec.clusterIP`: empty where none is given, `None` for a headless Service.
    public var clusterIP: String
    /// `spec.clusterIPs`
    public var clusterIPs: [String]
    /// `spec.ipFamilies`
    public var ipFamilies: [IPFamily]
    /// `spec.ipFamilyPolicy`: `SingleStack`, `PreferDualStack` or `RequireDualStack`.
    public var ipFamilyPolicy: String?
    /// `spec.ports`
    public var ports: [ServicePort]
    /// `spec.selector`
    public var selector: [String: String]
    /// `spec.sessionAffinity`
    public var sessionAffinity: ServiceAffinity
    /// `spec.sessionAffinityConfig.clientIP.timeoutSeconds`
    public var sessionAffinityTimeoutSeconds: UInt32?
    /// `spec.externalIPs`
    public var externalIPs: [String]
    /// `spec.loadBalancerSourceRanges`
    public var loadBalancerSourceRanges: [String]
    /// `spec.externalTrafficPolicy`
    public var externalTrafficPolicy: TrafficPolicy
    /// `spec.internalTrafficPolicy`
    public var internalTrafficPolicy: TrafficPolicy
    /// `spec.healthCheckNodePort`; 0 where there is none.
    public var healthCheckNodePort: UInt16
    /// `spec.publishNotReadyAddresses`
    public var publishNotReadyAddresses: Bool
    /// `spec.allocateLoadBalancerNodePorts`
    public var allocateLoadBalancerNodePorts: Bool
    /// `spec.trafficDistribution` of a manifest; nil for Services of the API server, whose slices have the hints that come of it.
    public var trafficDistribution: TrafficDistribution?
    /// `status.loadBalancer.ingress`
    public var loadBalancerIngress: [LoadBalancerIngress]

    public init(
        metadata: ObjectMeta, type: ServiceType = .clusterIP, clusterIP: String = "", clusterIPs: [String] = [],
        ipFamilies: [IPFamily] = [], ipFamilyPolicy: String? = nil, ports: [ServicePort] = [], selector: [String: String] = [:],
        sessionAffinity: ServiceAffinity = .none, sessionAffinityTimeoutSeconds: UInt32? = nil, externalIPs: [String] = [],
        loadBalancerSourceRanges: [String] = [], externalTrafficPolicy: TrafficPolicy = .cluster,
        internalTrafficPolicy: TrafficPolicy = .cluster, healthCheckNodePort: UInt16 = 0, publishNotReadyAddresses: Bool = false,
        allocateLoadBalancerNodePorts: Bool = true, trafficDistribution: TrafficDistribution? = nil,
        loadBalancerIngress: [LoadBalancerIngress] = []
    ) {
        self.metadata = metadata
        self.type = type
        self.clusterIP = clusterIP
        self.clusterIPs = clusterIPs
        self.ipFamilies = ipFamilies
        self.ipFamilyPolicy = ipFamilyPolicy
        self.ports = ports
        self.selector = selector
        self.sessionAffinity = sessionAffinity
        self.sessionAffinityTimeoutSeconds = sessionAffinityTimeoutSeconds
        self.externalIPs = externalIPs
        self.loadBalancerSourceRanges = loadBalancerSourceRanges
        self.externalTrafficPolicy = externalTrafficPolicy
        self.internalTrafficPolicy = internalTrafficPolicy
        self.healthCheckNodePort = healthCheckNodePort
        self.publishNotReadyAddresses = publishNotReadyAddresses
        self.allocateLoadBalancerNodePorts = allocateLoadBalancerNodePorts
        self.trafficDistribution = trafficDistribution
        self.loadBalancerIngress = loadBalancerIngress
    }

    /// Whether the Service has no address of its own on purpose (`spec.clusterIP: None`).
    public var isHeadless: Bool { clusterIP == Service.headlessClusterIP || clusterIPs.first == Service.headlessClusterIP }

    /// What stands in `spec.clusterIP` of a headless Service.
    public static let headlessClusterIP = "None"
}
