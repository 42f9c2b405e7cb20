import Model

extension ManifestValidation {
    static func problems(of service: Service) -> [FieldProblem] {
        clusterIPProblems(service) + familyProblems(service) + portProblems(service) + affinityProblems(service)
            + addressProblems(service.externalIPs, "spec.externalIPs") + sourceRangeProblems(service)
            + service.loadBalancerIngress.enumerated().compactMap { index, ingress in
                ingress.ip.isEmpty || IPAddress(ingress.ip) != nil
                    ? nil : FieldProblem("status.loadBalancer.ingress[\(index)].ip", ingress.ip, "must be an IP address")
            }
    }

    private static func clusterIPProblems(_ service: Service) -> [FieldProblem] {
        guard service.type != .externalName else { return [] }
        let addresses = service.clusterIPs
        if !service.clusterIP.isEmpty, let first = addresses.first, first != service.clusterIP {
            return [FieldProblem("spec.clusterIPs[0]", first, "must be the same as spec.clusterIP, \(service.clusterIP)")]
        }
        if service.isHeadless {
            if service.type != .clusterIP {
                return [FieldProblem("spec.clusterIP", "None", "is for type ClusterIP only, and this is \(service.type.rawValue)")]
            }
            return addresses.count > 1 ? [FieldProblem("spec.clusterIPs[1]", addresses[1], "cannot stand beside None")] : []
        }
        var problems = addressProblems(addresses, "spec.clusterIPs")
        if addresses.isEmpty, !service.clusterIP.isEmpty, IPAddress(service.clusterIP) == nil {
            problems.append(FieldProblem("spec.clusterIP", service.clusterIP, "must be an IP address, None, or absent"))
        }
        for (index, text) in (addresses.isEmpty ? [service.clusterIP] : addresses).enumerated() {
            guard let address = IPAddress(text), address.isHarmfulAsService else { continue }
            let field = addresses.isEmpty ? "spec.clusterIP" : "spec.clusterIPs[\(index)]"
            problems.append(FieldProblem(field, text, "must not be an unspecified, loopback, link-local, multicast or reserved address"))
        }
        let families = addresses.compactMap { IPAddress($0)?.family }
        if addresses.count > 2 || Set(families).count < families.count {
            problems.append(FieldProblem("spec.clusterIPs", nil, "may hold one address of each family"))
        }
        return problems
    }

    private static func familyProblems(_ service: Service) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if Set(service.ipFamilies).count < service.ipFamilies.count {
            problems.append(FieldProblem("spec.ipFamilies", nil, "may hold each family once"))
        }
        switch service.ipFamilyPolicy {
        case nil, "", "PreferDualStack", "RequireDualStack": break
        case "SingleStack":
            if service.ipFamilies.count > 1 || service.clusterIPs.count > 1 {
                problems.append(FieldProblem("spec.ipFamilyPolicy", "SingleStack", "does not go with two families"))
            }
        case .some(let policy):
            problems.append(FieldProblem("spec.ipFamilyPolicy", policy, "must be one of SingleStack, PreferDualStack, RequireDualStack"))
        }
        let addresses = service.clusterIPs.isEmpty ? [service.clusterIP] : service.clusterIPs
        for (index, pair) in zip(addresses, service.ipFamilies).enumerated() {
            if let address = IPAddress(pair.0), address.family != pair.1 {
                problems.append(FieldProblem("spec.ipFamilies[\(index)]", pair.1.rawValue, "is not the family of \(pair.0)"))
            }
        }
        return problems
    }

    private static func portProblems(_ service: Service) -> [FieldProblem] {
        if service.ports.isEmpty, !service.isHeadless, service.type != .externalName {
            return [FieldProblem("spec.ports", nil, "needs at least one port")]
        }
        var problems: [FieldProblem] = []
        var names: Set<String> = []
        var numbers: Set<PortAndTransport> = []
        var nodePorts: Set<PortAndTransport> = []
        for (index, port) in service.ports.enumerated() {
            let field = "spec.ports[\(index)]"
            problems += self.problems(of: port, field, type: service.type, isOnly: service.ports.count == 1)
            if !port.name.isEmpty, !names.insert(port.name).inserted {
                problems.append(FieldProblem("\(field).name", port.name, "is the name of another port of this Service"))
            }
            if !numbers.insert(PortAndTransport(port: port.port, transport: port.transport)).inserted {
                problems.append(FieldProblem("\(field).port", "\(port.port)", "is there twice for \(port.transport.rawValue)"))
            }
            if port.nodePort != 0, !nodePorts.insert(PortAndTransport(port: port.nodePort, transport: port.transport)).inserted {
                problems.append(FieldProblem("\(field).nodePort", "\(port.nodePort)", "is there twice for \(port.transport.rawValue)"))
            }
        }
        return problems
    }

    private struct PortAndTransport: Hashable {
        var port: UInt16
        var transport: Transport
    }

    private static func problems(of port: ServicePort, _ field: String, type: ServiceType, isOnly: Bool) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if port.port == 0 { problems.append(FieldProblem("\(field).port", "0", portRule)) }
        if port.name.isEmpty, !isOnly {
            problems.append(FieldProblem("\(field).name", nil, "is required where a Service has several ports"))
        } else if !port.name.isEmpty, !isLabel(port.name) {
            problems.append(FieldProblem("\(field).name", port.name, "must be at most 63 lower-case letters, digits and '-'"))
        }
        if case .name(let name) = port.targetPort, !isPortName(name) {
            problems.append(
                FieldProblem("\(field).targetPort", name, "must be a port, 1 to 65535, or a name: at most 15 letters, digits and '-'"))
        }
        if port.nodePort != 0, type == .clusterIP {
            problems.append(FieldProblem("\(field).nodePort", "\(port.nodePort)", "does not go with type ClusterIP"))
        }
        return problems
    }

    private static func affinityProblems(_ service: Service) -> [FieldProblem] {
        guard let seconds = service.sessionAffinityTimeoutSeconds, !(1...86400).contains(seconds) else { return [] }
        return [FieldProblem("spec.sessionAffinityConfig.clientIP.timeoutSeconds", "\(seconds)", "must be 1 to 86400 seconds")]
    }

    private static func sourceRangeProblems(_ service: Service) -> [FieldProblem] {
        service.loadBalancerSourceRanges.enumerated().compactMap { index, text in
            // The API takes blanks around a range.
            let range = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            return CIDR(range) == nil
                ? FieldProblem("spec.loadBalancerSourceRanges[\(index)]", text, "must be a block of addresses like 192.0.2.0/24") : nil
        }
    }
}
