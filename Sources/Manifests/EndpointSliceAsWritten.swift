internal import Kubernetes

/// What a manifest says of an EndpointSlice beyond what is kept of it.
struct EndpointSliceAsWritten: Decodable {
    struct Endpoint: Decodable {
        var hostname: String?
        var deprecatedTopology: [String: String]?
    }

    struct Port: Decodable {
        var `protocol`: String?
        var appProtocol: String?
    }

    /// `endpoints`
    var endpoints: [Endpoint] = []
    /// `ports`
    var ports: [Port] = []

    private enum CodingKeys: String, CodingKey { case endpoints, ports }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        endpoints = try fields.list(.endpoints)
        ports = try fields.list(.ports)
    }
}

extension ManifestValidation {
    private static let topologyLimit = 16

    static func problems(of slice: EndpointSliceAsWritten) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        for (index, endpoint) in slice.endpoints.enumerated() {
            let field = "endpoints[\(index)]"
            problems += hostnameProblems(endpoint.hostname, field)
            let topology = endpoint.deprecatedTopology ?? [:]
            if topology.count > topologyLimit { problems.append(tooMany("\(field).deprecatedTopology", topology.count, topologyLimit)) }
            problems += labelProblems(topology, "\(field).deprecatedTopology")
        }
        for (index, port) in slice.ports.enumerated() {
            if port.protocol == "" { problems.append(FieldProblem("ports[\(index)].protocol", "", "must be one of TCP, UDP, SCTP")) }
            problems += appProtocolProblems(port.appProtocol, "ports[\(index)]")
        }
        return problems
    }
}
