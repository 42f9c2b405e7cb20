public import Model

/// A Service (`core/v1`), with the fields of `spec` and `status` at the top level.
public struct Service: Hashable, Sendable {
    public var metadata: ObjectMeta
    /// `spec.type`
    public var type: ServiceType
    /// `spec.clusterIP`: empty if not set, `None` for a headless Service.
    public var clusterIP: String
    /// `spec.clusterIPs`
    public var clusterIPs: [String]
    /// `spec.ipFamilies`
    public var ipFamilies: [IPFamily]
    /// `spec.ipFamilyPolicy`: `SingleStack`, `PreferDualStack` or `RequireDualStack`.
    public var ipFamilyPolicy: String? {
        get { rare.values.ipFamilyPolicy }
        set { rare.values.ipFamilyPolicy = newValue }
    }
    /// `spec.ports`
    public var ports: [ServicePort]
    /// `spec.selector`
    public var selector: [String: String]
    /// `spec.sessionAffinity`
    public var sessionAffinity: ServiceAffinity
    /// `spec.sessionAffinityConfig.clientIP.timeoutSeconds`
    public var sessionAffinityTimeoutSeconds: UInt32? {
        get { rare.values.sessionAffinityTimeoutSeconds }
        set { rare.values.sessionAffinityTimeoutSeconds = newValue }
    }
    /// The API server's default of `sessionAffinityTimeoutSeconds` (`core/v1` `DefaultClientIPServiceAffinitySeconds`).
    public static let defaultSessionAffinityTimeoutSeconds: UInt32 = 10800
    /// `spec.externalIPs`
    public var externalIPs: [String] {
        get { rare.values.externalIPs }
        set { rare.values.externalIPs = newValue }
    }
    /// `spec.loadBalancerSourceRanges`
    public var loadBalancerSourceRanges: [String] {
        get { rare.values.loadBalancerSourceRanges }
        set { rare.values.loadBalancerSourceRanges = newValue }
    }
    /// `spec.externalTrafficPolicy`
    public var externalTrafficPolicy: TrafficPolicy
    /// `spec.internalTrafficPolicy`
    public var internalTrafficPolicy: TrafficPolicy
    /// `spec.healthCheckNodePort`; 0 if there is none.
    public var healthCheckNodePort: UInt16 {
        get { rare.values.healthCheckNodePort }
        set { rare.values.healthCheckNodePort = newValue }
    }
    /// `spec.publishNotReadyAddresses`
    public var publishNotReadyAddresses: Bool
    /// `spec.allocateLoadBalancerNodePorts`
    public var allocateLoadBalancerNodePorts: Bool
    /// `spec.trafficDistribution` of a manifest; nil for Services of the API server, whose slices have the resulting hints.
    public var trafficDistribution: TrafficDistribution? {
        get { rare.values.trafficDistribution }
        set { rare.values.trafficDistribution = newValue }
    }
    /// `status.loadBalancer.ingress`
    public var loadBalancerIngress: [LoadBalancerIngress] {
        get { rare.values.loadBalancerIngress }
        set { rare.values.loadBalancerIngress = newValue }
    }

    private var rare = RareValues<Rare>()

    /// The values that few Services have in `ClusterState`.
    private struct Rare: DefaultValues {
        var ipFamilyPolicy: String?
        var sessionAffinityTimeoutSeconds: UInt32?
        var externalIPs: [String] = []
        var loadBalancerSourceRanges: [String] = []
        var healthCheckNodePort: UInt16 = 0
        var trafficDistribution: TrafficDistribution?
        var loadBalancerIngress: [LoadBalancerIngress] = []
    }

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
        self.ports = ports
        self.selector = selector
        self.sessionAffinity = sessionAffinity
        self.externalTrafficPolicy = externalTrafficPolicy
        self.internalTrafficPolicy = internalTrafficPolicy
        self.publishNotReadyAddresses = publishNotReadyAddresses
        self.allocateLoadBalancerNodePorts = allocateLoadBalancerNodePorts
        rare.values = Rare(
            ipFamilyPolicy: ipFamilyPolicy,
            sessionAffinityTimeoutSeconds: sessionAffinityTimeoutSeconds,
            externalIPs: externalIPs,
            loadBalancerSourceRanges: loadBalancerSourceRanges,
            healthCheckNodePort: healthCheckNodePort,
            trafficDistribution: trafficDistribution,
            loadBalancerIngress: loadBalancerIngress)
    }

    /// Whether the Service is headless (`spec.clusterIP: None`).
    public var isHeadless: Bool { clusterIP == Service.headlessClusterIP || clusterIPs.first == Service.headlessClusterIP }

    /// The value of `spec.clusterIP` in a headless Service.
    public static let headlessClusterIP = "None"
}

/// The type of a Service (`Service.spec.type`).
public enum ServiceType: String, Hashable, Sendable, CaseIterable {
    case clusterIP = "ClusterIP"
    case nodePort = "NodePort"
    case loadBalancer = "LoadBalancer"
    case externalName = "ExternalName"
}

/// The session affinity of a Service (`Service.spec.sessionAffinity`).
public enum ServiceAffinity: String, Hashable, Sendable, CaseIterable {
    case none = "None"
    case clientIP = "ClientIP"
}

/// Which endpoints may receive traffic (`Service.spec.externalTrafficPolicy`, `Service.spec.internalTrafficPolicy`).
public enum TrafficPolicy: String, Hashable, Sendable, CaseIterable {
    case cluster = "Cluster"
    case local = "Local"
}

/// Which endpoints traffic prefers (`Service.spec.trafficDistribution`, KEP-3015 and KEP-4444).
public enum TrafficDistribution: String, Hashable, Sendable, CaseIterable {
    /// The old name of `PreferSameZone`.
    case preferClose = "PreferClose"
    case preferSameZone = "PreferSameZone"
    /// The node first, then its zone.
    case preferSameNode = "PreferSameNode"
}

/// A port of a Service (`Service.spec.ports[]`).
public struct ServicePort: Hashable, Sendable {
    /// `name`; empty if the only port has none.
    public var name: String
    /// `protocol`
    public var transport: Transport
    /// `port`
    public var port: UInt16
    /// `targetPort`; nil means `port`.
    public var targetPort: IntOrString?
    /// `nodePort`; 0 if there is none.
    public var nodePort: UInt16

    public init(name: String = "", transport: Transport = .tcp, port: UInt16, targetPort: IntOrString? = nil, nodePort: UInt16 = 0) {
        self.name = name
        self.transport = transport
        self.port = port
        self.targetPort = targetPort
        self.nodePort = nodePort
    }
}

extension ServicePort: Decodable {
    private enum CodingKeys: String, CodingKey {
        case name, `protocol`, port, targetPort, nodePort
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            name: try fields.value(.name, default: ""),
            transport: try fields.choice(.protocol, default: .tcp),
            port: try fields.port(.port) ?? 0,
            targetPort: try fields.decodeIfPresent(IntOrString.self, forKey: .targetPort),
            nodePort: try fields.port(.nodePort) ?? 0)
        // The API treats 0 and "" as unset.
        if targetPort == .number(0) || targetPort == .name("") { targetPort = nil }
    }
}

/// An address of a load balancer of a Service (`Service.status.loadBalancer.ingress[]`).
public struct LoadBalancerIngress: Hashable, Sendable {
    /// `ip`; empty if the load balancer has only a host name.
    public var ip: String
    /// `ipMode`: `VIP`, `Proxy`, or nil, which means `VIP`.
    public var ipMode: String?

    public init(ip: String, ipMode: String? = nil) {
        self.ip = ip
        self.ipMode = ipMode
    }

    /// Whether packets arrive with this destination address, so that the nodes have to serve it (`ipMode`).
    public var isVIP: Bool { ipMode == nil || ipMode == "VIP" }
}

extension LoadBalancerIngress: Decodable {
    private enum CodingKeys: String, CodingKey {
        case ip, ipMode
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(ip: try fields.value(.ip, default: ""), ipMode: try fields.decodeIfPresent(String.self, forKey: .ipMode))
    }
}

extension Service: Decodable {
    private enum CodingKeys: String, CodingKey {
        case metadata, spec, status
    }

    private enum SpecKeys: String, CodingKey {
        case type, clusterIP, clusterIPs, ipFamilies, ipFamilyPolicy, ports, selector, sessionAffinity, sessionAffinityConfig, externalIPs
        case loadBalancerSourceRanges, externalTrafficPolicy, internalTrafficPolicy, healthCheckNodePort, publishNotReadyAddresses
        case allocateLoadBalancerNodePorts
    }

    private enum AffinityConfigKeys: String, CodingKey { case clientIP }
    private enum ClientIPKeys: String, CodingKey { case timeoutSeconds }
    private enum StatusKeys: String, CodingKey { case loadBalancer }
    private enum LoadBalancerKeys: String, CodingKey { case ingress }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(metadata: try fields.value(.metadata, default: ObjectMeta(name: "")))
        if let spec = try fields.nested(SpecKeys.self, .spec) {
            try readAddresses(spec)
            try readPolicies(spec)
        }
        let balancer = try fields.nested(StatusKeys.self, .status)?.nested(LoadBalancerKeys.self, .loadBalancer)
        loadBalancerIngress = try balancer?.list(.ingress) ?? []
    }

    private mutating func readAddresses(_ spec: KeyedDecodingContainer<SpecKeys>) throws {
        type = try spec.choice(.type, default: .clusterIP)
        clusterIP = try spec.value(.clusterIP, default: "")
        clusterIPs = try spec.list(.clusterIPs)
        ipFamilies = try spec.choices(.ipFamilies)
        ipFamilyPolicy = try spec.decodeIfPresent(String.self, forKey: .ipFamilyPolicy)
        ports = try spec.list(.ports)
        selector = try spec.strings(.selector)
        externalIPs = try spec.list(.externalIPs)
        loadBalancerSourceRanges = try spec.list(.loadBalancerSourceRanges)
    }

    private mutating func readPolicies(_ spec: KeyedDecodingContainer<SpecKeys>) throws {
        sessionAffinity = try spec.choice(.sessionAffinity, default: .none)
        let clientIP = try spec.nested(AffinityConfigKeys.self, .sessionAffinityConfig)?.nested(ClientIPKeys.self, .clientIP)
        sessionAffinityTimeoutSeconds = try clientIP.flatMap(Service.timeout)
        externalTrafficPolicy = try spec.choice(.externalTrafficPolicy, default: .cluster)
        internalTrafficPolicy = try spec.choice(.internalTrafficPolicy, default: .cluster)
        healthCheckNodePort = try spec.port(.healthCheckNodePort) ?? 0
        publishNotReadyAddresses = try spec.value(.publishNotReadyAddresses, default: false)
        allocateLoadBalancerNodePorts = try spec.value(.allocateLoadBalancerNodePorts, default: true)
    }

    private static func timeout(_ clientIP: KeyedDecodingContainer<ClientIPKeys>) throws -> UInt32? {
        guard let seconds = try clientIP.decodeIfPresent(Int.self, forKey: .timeoutSeconds) else { return nil }
        guard let timeout = UInt32(exactly: seconds) else {
            throw DecodingError.dataCorruptedError(forKey: .timeoutSeconds, in: clientIP, debugDescription: "must be 1 to 86400 seconds")
        }
        return timeout
    }
}
