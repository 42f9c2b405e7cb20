internal import Kubernetes
internal import Model
internal import Text

/// One port of a Service in one family, which is translated to virtual servers.
struct ServedPort: Hashable {
    var service: NamespacedName
    /// `Service.spec.ports[].name`.
    var name: String
    var transport: Transport
    var port: UInt16
    /// 0 for none.
    var nodePort: UInt16
    var spec: FamilySpec

    /// The fields of a Service in one family, which its ports share.
    struct FamilySpec: Hashable {
        var clusterIP: IPAddress
        /// `Service.spec.externalIPs`.
        var externalIPs: [IPAddress]
        /// `Service.status.loadBalancer.ingress[].ip`, of load balancers that do not change the destination of packets (`ipMode: VIP`).
        var loadBalancerIPs: [IPAddress]
        var sourceRanges: SourceRanges
        var internalTrafficPolicy: TrafficPolicy
        /// Cluster if the Service is not accessible from outside the cluster.
        var externalTrafficPolicy: TrafficPolicy
        /// 0 for none.
        var healthCheckNodePort: UInt16
        /// Seconds for which a client keeps its endpoint (`Service.spec.sessionAffinity: ClientIP`); nil for no affinity.
        var affinity: UInt32?
    }

    var family: IPFamily { spec.clusterIP.family }

    /// Returns the ports of a Service that this proxy serves: none for headless and ExternalName Services and those of another proxy.
    static func all(of service: Service, _ settings: TranslationSettings) -> [ServedPort] {
        guard service.type != .externalName, !service.isHeadless, !service.clusterIP.isEmpty, !service.isForAnotherProxy else { return [] }
        var served: [ServedPort] = []
        for family in IPFamily.allCases where settings.families.contains(family) {
            guard var spec = FamilySpec(service, family) else { continue }
            // Intervals in nf_tables must not overlap.
            if settings.packetFilter == .nftables, case .only(let ranges) = spec.sourceRanges {
                spec.sourceRanges = .only(ranges.withoutCovered)
            }
            for port in service.ports {
                served.append(
                    ServedPort(
                        service: service.metadata.namespacedName, name: port.name, transport: port.transport, port: port.port,
                        nodePort: port.nodePort, spec: spec))
            }
        }
        return served
    }
}

extension ServedPort.FamilySpec {
    /// Returns nil if the Service has no cluster IP of the family.
    init?(_ service: Service, _ family: IPFamily) {
        guard let clusterIP = ServedPort.FamilySpec.clusterIP(of: service, family) else { return nil }
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

    /// Old objects have only `clusterIP`; others have a list of cluster IPs in the order of `ipFamilies`.
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
    /// Whether the Service has the label for another proxy (`service.kubernetes.io/service-proxy-name`).
    var isForAnotherProxy: Bool { metadata.labels["service.kubernetes.io/service-proxy-name"] != nil }

    /// Whether clients outside the cluster can reach the Service, by the API server's definition (`service/util.go`
    /// `ExternallyAccessible`).
    var isExternallyAccessible: Bool { type == .loadBalancer || type == .nodePort || !externalIPs.isEmpty }
}

/// The clients that a load balancer accepts in one family (`Service.spec.loadBalancerSourceRanges`).
enum SourceRanges: Hashable {
    case all
    /// An empty list accepts no client.
    case only([CIDR])

    /// Returns the ranges of one family from the list of a Service. An invalid range restricts access but accepts no client.
    ///
    /// If all ranges belong to one family, the other family stays restricted and accepts no client, unless a range has prefix length 0.
    init(_ texts: [String], _ family: IPFamily) {
        let written = texts.map { $0.trimmed }.filter { !$0.isEmpty }
        let ranges = written.compactMap { CIDR($0) }
        let familyRanges = ranges.filter { $0.family == family }
        let relevant = familyRanges.isEmpty ? ranges : familyRanges
        if written.isEmpty || relevant.contains(where: { $0.prefixLength == 0 }) {
            self = .all
        } else {
            self = .only(familyRanges)
        }
    }
}
