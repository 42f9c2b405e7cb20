internal import Kubernetes
internal import Model

/// The fields of a Service manifest that `Service` does not contain as written: those for validation only, and those with a default.
struct ServiceAsWritten: Decodable {
    struct Ingress: Decodable {
        var ip: String?
        var hostname: String?
        var ipMode: String?
    }

    private struct Port: Decodable {
        var appProtocol: String?
    }

    /// `metadata.annotations`
    var annotations: [String: String] = [:]
    /// `spec.externalName`
    var externalName: String?
    /// `spec.externalTrafficPolicy`
    var externalTrafficPolicy: String?
    /// `spec.internalTrafficPolicy`
    var internalTrafficPolicy: String?
    /// `spec.allocateLoadBalancerNodePorts`
    var allocateLoadBalancerNodePorts: Bool?
    /// `spec.loadBalancerClass`
    var loadBalancerClass: String?
    /// `spec.trafficDistribution`
    var trafficDistribution: String?
    /// Whether `spec.sessionAffinityConfig` is set.
    var hasSessionAffinityConfig = false
    /// `spec.ports[].appProtocol`
    var appProtocols: [String?] = []
    /// `status.loadBalancer.ingress`
    var ingress: [Ingress] = []

    private enum CodingKeys: String, CodingKey { case metadata, spec, status }
    private enum MetadataKeys: String, CodingKey { case annotations }
    private enum SpecKeys: String, CodingKey {
        case externalName, externalTrafficPolicy, internalTrafficPolicy, allocateLoadBalancerNodePorts, loadBalancerClass
        case trafficDistribution, sessionAffinityConfig, ports
    }
    private enum StatusKeys: String, CodingKey { case loadBalancer }
    private enum LoadBalancerKeys: String, CodingKey { case ingress }
    private enum NoKeys: CodingKey {}

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        annotations = try fields.nested(MetadataKeys.self, .metadata)?.strings(.annotations) ?? [:]
        if let spec = try fields.nested(SpecKeys.self, .spec) {
            externalName = try spec.decodeIfPresent(String.self, forKey: .externalName)
            externalTrafficPolicy = try spec.decodeIfPresent(String.self, forKey: .externalTrafficPolicy)
            internalTrafficPolicy = try spec.decodeIfPresent(String.self, forKey: .internalTrafficPolicy)
            allocateLoadBalancerNodePorts = try spec.decodeIfPresent(Bool.self, forKey: .allocateLoadBalancerNodePorts)
            loadBalancerClass = try spec.decodeIfPresent(String.self, forKey: .loadBalancerClass)
            trafficDistribution = try spec.decodeIfPresent(String.self, forKey: .trafficDistribution)
            hasSessionAffinityConfig = try spec.nested(NoKeys.self, .sessionAffinityConfig) != nil
            appProtocols = try spec.list(.ports, of: Port.self).map(\.appProtocol)
        }
        let balancer = try fields.nested(StatusKeys.self, .status)?.nested(LoadBalancerKeys.self, .loadBalancer)
        ingress = try balancer?.list(.ingress) ?? []
    }

    private static let topologyAnnotations = ["service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"]

    /// The traffic distribution that slices get hints for; nil if the Service requests hints proportional to CPUs (`topology-mode: Auto`),
    /// which takes precedence in Kubernetes.
    var effectiveTrafficDistribution: TrafficDistribution? {
        let mode = ServiceAsWritten.topologyAnnotations.compactMap { annotations[$0] }.first
        guard mode != "Auto", mode != "auto" else { return nil }
        return trafficDistribution.flatMap(TrafficDistribution.init(rawValue:))
    }

    /// Removes the fields that the API server drops without an error; returns a warning for each.
    func drop(from service: inout Service) -> [FieldProblem] {
        var warnings: [FieldProblem] = []
        if service.sessionAffinity == .none {
            service.sessionAffinityTimeoutSeconds = nil
            if hasSessionAffinityConfig {
                warnings.append(FieldProblem("spec.sessionAffinityConfig", nil, "has no effect without sessionAffinity: ClientIP"))
            }
        }
        if service.type != .loadBalancer, !service.loadBalancerIngress.isEmpty {
            service.loadBalancerIngress = []
            warnings.append(FieldProblem("status.loadBalancer.ingress", nil, "has no effect: it requires type LoadBalancer"))
        }
        return warnings
    }
}

/// An EndpointSlice of a manifest, and its fields that `EndpointSlice` does not contain as written.
struct EndpointSliceAsWritten: Decodable {
    struct WrittenEndpoint: Decodable {
        var endpoint: Endpoint
        var addresses: [String]
        var hostname: String?
        var deprecatedTopology: [String: String]?

        init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: Endpoint.CodingKeys.self)
            addresses = try fields.list(.addresses)
            endpoint = try Endpoint(fields, addresses: addresses)
            hostname = try fields.decodeIfPresent(String.self, forKey: .hostname)
            deprecatedTopology = try fields.decodeIfPresent([String: String].self, forKey: .deprecatedTopology)
        }
    }

    struct Port: Decodable {
        var `protocol`: String?
        var appProtocol: String?
    }

    var slice: EndpointSlice
    /// `endpoints`
    var endpoints: [WrittenEndpoint] = []
    /// `ports`
    var ports: [Port] = []

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: EndpointSlice.CodingKeys.self)
        var endpoints: [WrittenEndpoint] = []
        // Almost all of a slice is its endpoints: they are decoded once.
        slice = try EndpointSlice(fields) {
            endpoints = try fields.list(.endpoints)
            return endpoints.map(\.endpoint)
        }
        self.endpoints = endpoints
        ports = try fields.list(.ports)
    }
}

extension ManifestValidation {
    private static let topologyLimit = 16
    /// The maximum number of addresses of an endpoint.
    private static let addressLimit = 100

    static func problems(of slice: EndpointSliceAsWritten, _ type: AddressType) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        // More endpoints than the limit are a problem of their own.
        for (index, endpoint) in slice.endpoints.prefix(endpointLimit).enumerated() {
            let field = "endpoints[\(index)]"
            problems += addressProblems(endpoint.addresses, field, type)
            problems += hostnameProblems(endpoint.hostname, field)
            let topology = endpoint.deprecatedTopology ?? [:]
            guard !topology.isEmpty else { continue }
            if topology.count > topologyLimit { problems.append(tooMany("\(field).deprecatedTopology", topology.count, topologyLimit)) }
            problems += labelProblems(topology, "\(field).deprecatedTopology")
        }
        for (index, port) in slice.ports.enumerated() {
            if port.protocol == "" { problems.append(FieldProblem("ports[\(index)].protocol", "", "must be one of TCP, UDP, SCTP")) }
            problems += appProtocolProblems(port.appProtocol, "ports[\(index)]")
        }
        return problems
    }

    private static func addressProblems(_ texts: [String], _ endpoint: String, _ type: AddressType) -> [FieldProblem] {
        guard !texts.isEmpty else { return [FieldProblem("\(endpoint).addresses", nil, "needs at least one address")] }
        var problems = texts.count > addressLimit ? [tooMany("\(endpoint).addresses", texts.count, addressLimit)] : []
        for (index, text) in texts.enumerated() {
            if let message = rule(brokenBy: text, type) { problems.append(FieldProblem("\(endpoint).addresses[\(index)]", text, message)) }
        }
        return problems
    }

    private static func rule(brokenBy text: String, _ type: AddressType) -> String? {
        guard let family = type.family else {
            return isDomain(text) ? nil : "must be a domain name of two parts or more to match addressType"
        }
        guard let address = IPAddress(text), address.family == family else {
            return "must be an \(family.rawValue) address to match addressType"
        }
        return endpointRule(brokenBy: address)
    }
}

/// The labels and annotations of a manifest as written; `ObjectMeta` keeps only some annotations.
struct MetadataAsWritten: Decodable {
    /// `metadata.labels`
    var labels: [String: String] = [:]
    /// `metadata.annotations`
    var annotations: [String: String] = [:]

    private enum CodingKeys: String, CodingKey { case metadata }
    private enum MetadataKeys: String, CodingKey { case labels, annotations }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        guard let metadata = try fields.nested(MetadataKeys.self, .metadata) else { return }
        labels = try metadata.strings(.labels)
        annotations = try metadata.strings(.annotations)
    }
}

extension ManifestValidation {
    /// The maximum size of all annotations of an object, keys and values, in bytes.
    private static let annotationLimit = 256 << 10

    static func problems(of metadata: MetadataAsWritten) -> [FieldProblem] {
        var problems = labelProblems(metadata.labels, "metadata.labels")
        for key in metadata.annotations.keys.sorted() where !NameSyntax.isQualifiedName(key.lowercased()) {
            problems.append(FieldProblem("metadata.annotations", key, "is not a valid annotation key: \(qualifiedNameRule)"))
        }
        if metadata.annotations.reduce(0, { $0 + $1.key.utf8.count + $1.value.utf8.count }) > annotationLimit {
            problems.append(FieldProblem("metadata.annotations", nil, "must have at most \(annotationLimit) bytes in total"))
        }
        return problems
    }
}
