internal import Kubernetes
internal import Model

extension ManifestValidation {
    /// Of a slice.
    private static let endpointLimit = 1000
    /// Of an endpoint.
    private static let addressLimit = 100
    private static let portLimit = 20_000
    private static let hintLimit = 8

    static func problems(of slice: EndpointSlice) -> [FieldProblem] {
        guard slice.endpoints.count <= endpointLimit else { return [tooMany("endpoints", slice.endpoints.count, endpointLimit)] }
        guard slice.ports.count <= portLimit else { return [tooMany("ports", slice.ports.count, portLimit)] }
        var problems: [FieldProblem] = []
        for (index, endpoint) in slice.endpoints.enumerated() {
            problems += self.problems(of: endpoint, "endpoints[\(index)]", slice.addressType)
        }
        var names: Set<String> = []
        for (index, port) in slice.ports.enumerated() {
            let name = port.name ?? ""
            if !names.insert(name).inserted {
                problems.append(FieldProblem("ports[\(index)].name", name, "is the name of another port of this slice"))
            }
            if !name.isEmpty, !NameSyntax.isLabel(name) { problems.append(FieldProblem("ports[\(index)].name", name, labelRule)) }
            if port.port == 0 { problems.append(FieldProblem("ports[\(index)].port", "0", portRule)) }
        }
        return problems
    }

    private static func problems(of endpoint: Endpoint, _ field: String, _ type: AddressType) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if endpoint.addresses.isEmpty { problems.append(FieldProblem("\(field).addresses", nil, "needs at least one address")) }
        if endpoint.addresses.count > addressLimit {
            problems.append(tooMany("\(field).addresses", endpoint.addresses.count, addressLimit))
        }
        for (index, text) in endpoint.addresses.enumerated() {
            if let message = rule(brokenBy: text, type) { problems.append(FieldProblem("\(field).addresses[\(index)]", text, message)) }
        }
        return problems + nodeNameProblems(endpoint.nodeName, field)
            + hintProblems(endpoint.zoneHints, "\(field).hints.forZones", NameSyntax.isLabelValue, labelValueRule)
            + hintProblems(endpoint.nodeHints, "\(field).hints.forNodes", NameSyntax.isSubdomain, subdomainRule)
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

    private static func hintProblems(_ names: [String], _ field: String, _ isValid: (String) -> Bool, _ rule: String) -> [FieldProblem] {
        guard names.count <= hintLimit else { return [tooMany(field, names.count, hintLimit)] }
        var seen: Set<String> = []
        return names.enumerated().compactMap { index, name in
            if !seen.insert(name).inserted { return FieldProblem("\(field)[\(index)].name", name, "is there twice") }
            return isValid(name) ? nil : FieldProblem("\(field)[\(index)].name", name, rule)
        }
    }
}
