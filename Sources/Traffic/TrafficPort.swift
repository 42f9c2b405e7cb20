internal import MetricsRegistry
internal import Model

/// A port of a Service on one kind of its addresses, which has a series.
///
/// The series covers all addresses of that kind in both families; otherwise there would be a series for every address of a node.
struct TrafficPort: Hashable, Sendable {
    var origin: ServiceOrigin
    var transport: Transport

    init(_ origin: ServiceOrigin, _ identity: VirtualServer.Identity) {
        self.origin = origin
        transport = identity.transport
    }

    var labels: MetricLabels {
        [
            "namespace": origin.service.namespace, "service": origin.service.name, "port": origin.portName, "protocol": transport.rawValue,
            "kind": origin.kind.rawValue,
        ]
    }
}

extension TrafficPort: Comparable {
    static func < (lhs: TrafficPort, rhs: TrafficPort) -> Bool {
        guard lhs.origin.service == rhs.origin.service else { return lhs.origin.service < rhs.origin.service }
        guard lhs.origin.portName == rhs.origin.portName else { return lhs.origin.portName < rhs.origin.portName }
        guard lhs.transport == rhs.transport else { return lhs.transport < rhs.transport }
        return lhs.origin.kind.rawValue < rhs.origin.kind.rawValue
    }
}

/// A real server behind a port of a Service.
struct TrafficEndpoint: Hashable, Sendable {
    var port: TrafficPort
    var location: AddressPort

    var labels: MetricLabels {
        [
            "namespace": port.origin.service.namespace, "service": port.origin.service.name, "port": port.origin.portName,
            "protocol": port.transport.rawValue, "kind": port.origin.kind.rawValue, "endpoint": "\(location)",
        ]
    }
}

extension TrafficEndpoint: Comparable {
    static func < (lhs: TrafficEndpoint, rhs: TrafficEndpoint) -> Bool {
        lhs.port == rhs.port ? lhs.location < rhs.location : lhs.port < rhs.port
    }
}
