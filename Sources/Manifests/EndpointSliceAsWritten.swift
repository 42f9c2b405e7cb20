internal import Kubernetes
internal import Model

/// What a manifest says of an EndpointSlice beyond what is kept of it.
struct EndpointSliceAsWritten: Decodable {
    struct Endpoint: Decodable {
        var addresses: [String]?
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
    /// Of an endpoint.
    private static let addressLimit = 100

    static func problems(of slice: EndpointSliceAsWritten, _ type: AddressType) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        // That there are more is a problem of its own.
        for (index, endpoint) in slice.endpoints.prefix(endpointLimit).enumerated() {
            let field = "endpoints[\(index)]"
            problems += addressProblems(endpoint.addresses ?? [], field, type)
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

    private static func addressProblems(_ texts: [String], _ endpoint: String, _ type: AddressType) -> [FieldProblem] {
        let field = "\(endpoint).addresses"
        guard !texts.isEmpty else { return [FieldProblem(field, nil, "needs at least one address")] }
        var problems = texts.count > addressLimit ? [tooMany(field, texts.count, addressLimit)] : []
        for (index, text) in texts.enumerated() {
            if let message = rule(brokenBy: text, type) { problems.append(FieldProblem("\(field)[\(index)]", text, message)) }
        }
        return problems
    }

    private static func rule(brokenBy text: String, _ type: AddressType) -> String? {
        guard let family = type.family else {
            return isDomain(text) ? nil : "must be a domain name of two parts or more, as addressType says"
        }
        guard let address = IPAddress(text), address.family == family else {
            return "must be an \(family.rawValue) address, as addressType says"
        }
        return endpointRule(brokenBy: address)
    }
}
