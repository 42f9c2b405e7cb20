import Model

extension ManifestValidation {
    static func problems(of slice: EndpointSlice) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if let family = slice.addressType.family {
            for (index, endpoint) in slice.endpoints.enumerated() {
                problems += self.problems(of: endpoint, "endpoints[\(index)]", family: family)
            }
        }
        var names: Set<String> = []
        for (index, port) in slice.ports.enumerated() {
            let name = port.name ?? ""
            if !names.insert(name).inserted {
                problems.append(FieldProblem("ports[\(index)].name", name, "is the name of another port of this slice"))
            }
            if !name.isEmpty, !isLabel(name) {
                problems.append(FieldProblem("ports[\(index)].name", name, "must be at most 63 lower-case letters, digits and '-'"))
            }
            if port.port == 0 { problems.append(FieldProblem("ports[\(index)].port", "0", portRule)) }
        }
        return problems
    }

    private static func problems(of endpoint: Endpoint, _ field: String, family: IPFamily) -> [FieldProblem] {
        if endpoint.addresses.isEmpty { return [FieldProblem("\(field).addresses", nil, "needs at least one address")] }
        return endpoint.addresses.enumerated().compactMap { index, text in
            guard let address = IPAddress(text), address.family == family else {
                return FieldProblem("\(field).addresses[\(index)]", text, "must be an \(family.rawValue) address, as addressType says")
            }
            // The API refuses these because they would lead traffic to the node itself or nowhere.
            if address.isHarmfulAsService {
                return FieldProblem(
                    "\(field).addresses[\(index)]", text, "must not be an unspecified, loopback, link-local, multicast or reserved address")
            }
            return nil
        }
    }
}
