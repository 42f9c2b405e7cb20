internal import Kubernetes
internal import Model

/// One port of a Service in one family: what becomes virtual servers.
struct ServedPort: Hashable {
    var service: NamespacedName
    /// `Service.spec.ports[].name`.
    var name: String
    var transport: Transport
    var clusterIP: IPAddress
    var port: UInt16
    /// 0 for none.
    var nodePort: UInt16
    /// Seconds for which a client keeps its endpoint (`Service.spec.sessionAffinity` ClientIP); nil for none.
    var affinity: UInt32?

    var family: IPFamily { clusterIP.family }

    /// The ports of a Service that a proxy programs: none for headless and external-name Services, and for those of another proxy.
    static func all(of service: Service, families: Set<IPFamily>) -> [ServedPort] {
        guard service.type != .externalName, !service.isHeadless, !service.clusterIP.isEmpty, !service.isForAnotherProxy else { return [] }
        return IPFamily.allCases.filter(families.contains).flatMap { family -> [ServedPort] in
            guard let clusterIP = clusterIP(of: service, family) else { return [] }
            return service.ports.map { port in
                ServedPort(
                    service: service.metadata.namespacedName, name: port.name, transport: port.transport, clusterIP: clusterIP,
                    port: port.port,
                    nodePort: port.nodePort,
                    affinity: service.sessionAffinity == .clientIP ? service.sessionAffinityTimeoutSeconds ?? defaultAffinity : nil)
            }
        }
    }

    /// What the API server fills in (`core/v1` `DefaultClientIPServiceAffinitySeconds`).
    private static let defaultAffinity: UInt32 = 10800

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
}
