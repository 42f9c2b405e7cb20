import Model

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
