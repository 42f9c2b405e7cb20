internal import Kubernetes
internal import Model
internal import Text

/// One port of a Service in one family: what becomes virtual servers.
struct ServedPort: Hashable {
    var service: NamespacedName
    /// `Service.spec.ports[].name`.
    var name: String
    var transport: Transport
    var port: UInt16
    /// 0 for none.
    var nodePort: UInt16
    var facet: Facet

    /// What the ports of a Service share in one family.
    struct Facet: Hashable {
        var clusterIP: IPAddress
        /// `Service.spec.externalIPs`.
        var externalIPs: [IPAddress]
        /// `Service.status.loadBalancer.ingress[].ip`, of load balancers that leave the destination of packets alone.
        var loadBalancerIPs: [IPAddress]
        var sourceRanges: SourceRanges
        var internalTrafficPolicy: TrafficPolicy
        /// Cluster where nothing outside can reach the Service.
        var externalTrafficPolicy: TrafficPolicy
        /// 0 for none.
        var healthCheckNodePort: UInt16
        /// Seconds for which a client keeps its endpoint (`Service.spec.sessionAffinity` ClientIP); nil for none.
        var affinity: UInt32?
    }

    var family: IPFamily { facet.clusterIP.family }

    /// The ports of a Service that a proxy programs: none for headless and external-name Services, and for those of another proxy.
    static func all(of service: Service, families: Set<IPFamily>) -> [ServedPort] {
        guard service.type != .externalName, !service.isHeadless, !service.clusterIP.isEmpty, !service.isForAnotherProxy else { return [] }
        return IPFamily.allCases.filter(families.contains).flatMap { family -> [ServedPort] in
            guard let facet = Facet(service, family) else { return [] }
            return service.ports.map { port in
                ServedPort(
                    service: service.metadata.namespacedName, name: port.name, transport: port.transport, port: port.port,
                    nodePort: port.nodePort, facet: facet)
            }
        }
    }
}

extension ServedPort.Facet {
    /// Nil where the Service has no cluster IP of the family.
    init?(_ service: Service, _ family: IPFamily) {
        guard let clusterIP = ServedPort.Facet.clusterIP(of: service, family) else { return nil }
        self.clusterIP = clusterIP
        externalIPs = service.externalIPs.compactMap { IPAddress($0) }.filter { $0.family == family }
        loadBalancerIPs = service.loadBalancerIngress.filter(\.isVIP).compactMap { IPAddress($0.ip) }.filter { $0.family == family }
        sourceRanges = SourceRanges(service.loadBalancerSourceRanges, family)
        internalTrafficPolicy = service.internalTrafficPolicy
        externalTrafficPolicy = service.isExternallyAccessible ? service.externalTrafficPolicy : .cluster
        let isHealthChecked = service.type == .loadBalancer && service.externalTrafficPolicy == .local
        healthCheckNodePort = isHealthChecked ? service.healthCheckNodePort : 0
        affinity = service.affinityTimeout
    }

    /// Old objects have only `clusterIP`; others a list of which the families tell the order.
    private static func clusterIP(of service: Service, _ family: IPFamily) -> IPAddress? {
        let text: String? =
            if service.ipFamilies.isEmpty {
                service.clusterIP
            } else {
                zip(service.ipFamilies, service.clusterIPs.isEmpty ? [service.clusterIP] : service.clusterIPs).first { $0.0 == family }?.1
            }
        guard let address = text.flatMap({ IPAddress($0) }), address.family == family else { return nil }
        return address
    }
}

extension Service {
    /// The label with which another proxy claims a Service (`service.kubernetes.io/service-proxy-name`).
    var isForAnotherProxy: Bool { metadata.labels["service.kubernetes.io/service-proxy-name"] != nil }

    /// Whether clients outside the cluster can reach it, as the API server sees it (`service/util.go` `ExternallyAccessible`).
    var isExternallyAccessible: Bool { type == .loadBalancer || type == .nodePort || !externalIPs.isEmpty }
}

/// Which clients a load balancer lets in (`Service.spec.loadBalancerSourceRanges`), in one family.
enum SourceRanges: Hashable {
    case anyone
    /// No range of the family means nobody.
    case only([CIDR])

    /// Ranges of one family from the list of a Service: what does not parse counts as a restriction that lets nobody in.
    ///
    /// A list for one family alone does not open the other: a restricted Service stays restricted. Only where it says that anyone may come, in
    /// either family, is a family without a range of its own open.
    init(_ texts: [String], _ family: IPFamily) {
        let written = texts.map { $0.trimmed }.filter { !$0.isEmpty }
        let ranges = written.compactMap { CIDR($0) }
        let ours = ranges.filter { $0.family == family }
        let deciding = ours.isEmpty ? ranges : ours
        if written.isEmpty || deciding.contains(where: { $0.prefixLength == 0 }) {
            self = .anyone
        } else {
            self = .only(ours)
        }
    }
}
