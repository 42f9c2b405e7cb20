internal import Kubernetes
internal import Model

extension ManifestValidation {
    /// Of a slice.
    static let endpointLimit = 1000
    private static let portLimit = 20_000
    private static let hintLimit = 8

    static func problems(of slice: EndpointSlice) -> [FieldProblem] {
        guard slice.endpoints.count <= endpointLimit else { return [tooMany("endpoints", slice.endpoints.count, endpointLimit)] }
        guard slice.ports.count <= portLimit else { return [tooMany("ports", slice.ports.count, portLimit)] }
        var problems: [FieldProblem] = []
        for (index, endpoint) in slice.endpoints.enumerated() {
            problems += self.problems(of: endpoint, "endpoints[\(index)]")
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

    private static func problems(of endpoint: Endpoint, _ field: String) -> [FieldProblem] {
        nodeNameProblems(endpoint.nodeName, field)
            + hintProblems(endpoint.zoneHints, "\(field).hints.forZones", NameSyntax.isLabelValue, labelValueRule)
            + hintProblems(endpoint.nodeHints, "\(field).hints.forNodes", NameSyntax.isSubdomain, subdomainRule)
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
