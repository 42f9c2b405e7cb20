internal import Kubernetes
internal import Model

extension ManifestValidation {
    static func problems(of endpoints: Endpoints) -> [FieldProblem] {
        endpoints.subsets.enumerated().flatMap { index, subset in problems(of: subset, "subsets[\(index)]") }
    }

    private static func problems(of subset: EndpointSubset, _ field: String) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if subset.addresses.isEmpty, subset.notReadyAddresses.isEmpty {
            problems.append(FieldProblem(field, nil, "needs addresses or notReadyAddresses"))
        }
        for (list, name) in [(subset.addresses, "addresses"), (subset.notReadyAddresses, "notReadyAddresses")] {
            for (index, address) in list.enumerated() { problems += self.problems(of: address, "\(field).\(name)[\(index)]") }
        }
        for (index, port) in subset.ports.enumerated() {
            let field = "\(field).ports[\(index)]"
            if (port.port ?? 0) == 0 { problems.append(FieldProblem("\(field).port", port.port.map { "\($0)" }, portRule)) }
            let name = port.name ?? ""
            if name.isEmpty, subset.ports.count > 1 {
                problems.append(FieldProblem("\(field).name", nil, "is required where there are several ports"))
            } else if !name.isEmpty, !NameSyntax.isLabel(name) {
                problems.append(FieldProblem("\(field).name", name, labelRule))
            }
        }
        return problems
    }

    private static func problems(of address: SubsetAddress, _ field: String) -> [FieldProblem] {
        let hostname = address.hostname.isEmpty ? nil : address.hostname
        let problems = hostnameProblems(hostname, field) + nodeNameProblems(address.nodeName, field)
        guard let parsed = IPAddress(address.ip) else {
            return problems + [FieldProblem("\(field).ip", address.ip, "must be an IP address")]
        }
        return problems + (endpointRule(brokenBy: parsed).map { [FieldProblem("\(field).ip", address.ip, $0)] } ?? [])
    }
}
