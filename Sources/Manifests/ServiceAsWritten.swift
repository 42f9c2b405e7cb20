internal import Kubernetes

/// What a manifest says of a Service beyond what is kept of it: fields that only validation looks at, and whether fields with a default are there.
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
    /// Whether `spec.sessionAffinityConfig` is there.
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

    /// The traffic distribution that slices get hints for: none where the Service asks for hints by its CPU (`topology-mode: Auto`), which
    /// comes first in Kubernetes.
    var effectiveTrafficDistribution: TrafficDistribution? {
        let mode = ServiceAsWritten.topologyAnnotations.compactMap { annotations[$0] }.first
        guard mode != "Auto", mode != "auto" else { return nil }
        return trafficDistribution.flatMap(TrafficDistribution.init(rawValue:))
    }

    /// Takes out what the API server drops without an error; returns a warning for each.
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
            warnings.append(FieldProblem("status.loadBalancer.ingress", nil, "has no effect: it is for type LoadBalancer only"))
        }
        return warnings
    }
}
