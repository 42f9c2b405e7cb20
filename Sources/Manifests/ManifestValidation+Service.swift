internal import Kubernetes
internal import Model

extension ManifestValidation {
    static func problems(of service: Service) -> [FieldProblem] {
        let addresses = service.type == .externalName ? externalNameProblems(service) : clusterIPProblems(service) + familyProblems(service)
        return addresses + portProblems(service) + labelProblems(service.selector, "spec.selector") + affinityProblems(service)
            + externalIPProblems(service) + sourceRangeProblems(service) + healthCheckProblems(service)
            + service.loadBalancerIngress.enumerated().compactMap { index, ingress in
                ingress.ip.isEmpty || IPAddress(ingress.ip) != nil
                    ? nil : FieldProblem("status.loadBalancer.ingress[\(index)].ip", ingress.ip, "must be an IP address")
            }
    }

    /// Returns the problems of fields that the decoded Service does not contain as written.
    static func problems(of service: Service, _ written: ServiceAsWritten) -> [FieldProblem] {
        policyProblems(service, written) + loadBalancerProblems(service, written) + externalNameProblems(service, written)
            + written.appProtocols.enumerated().flatMap { appProtocolProblems($1, "spec.ports[\($0)]") }
            + (service.type == .loadBalancer ? ingressProblems(written.ingress) : [])
    }

    // MARK: - Addresses

    /// Returns the fields that are not allowed with type ExternalName, which needs no address.
    private static func externalNameProblems(_ service: Service) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        func refuse(_ field: String, _ value: String?) {
            problems.append(FieldProblem(field, value, "is not allowed with type ExternalName"))
        }
        if !service.clusterIP.isEmpty { refuse("spec.clusterIP", service.clusterIP) }
        if service.clusterIP.isEmpty, let address = service.clusterIPs.first { refuse("spec.clusterIPs", address) }
        if let family = service.ipFamilies.first { refuse("spec.ipFamilies", family.rawValue) }
        if let policy = service.ipFamilyPolicy { refuse("spec.ipFamilyPolicy", policy) }
        return problems
    }

    private static func externalNameProblems(_ service: Service, _ written: ServiceAsWritten) -> [FieldProblem] {
        guard service.type == .externalName else { return [] }
        let name = written.externalName ?? ""
        if name.isEmpty || name == "." {
            return [FieldProblem("spec.externalName", written.externalName, "is required for type ExternalName")]
        }
        return NameSyntax.isSubdomain(name.hasSuffix(".") ? String(name.dropLast()) : name)
            ? [] : [FieldProblem("spec.externalName", name, subdomainRule)]
    }

    private static func clusterIPProblems(_ service: Service) -> [FieldProblem] {
        let addresses = service.clusterIPs
        if service.clusterIP.isEmpty, let first = addresses.first {
            return [FieldProblem("spec.clusterIP", nil, "is required with spec.clusterIPs: \(first)")]
        }
        if let first = addresses.first, first != service.clusterIP {
            return [FieldProblem("spec.clusterIPs[0]", first, "must be the same as spec.clusterIP, \(service.clusterIP)")]
        }
        if service.isHeadless {
            if service.type != .clusterIP {
                return [FieldProblem("spec.clusterIP", "None", "requires type ClusterIP, not \(service.type.rawValue)")]
            }
            return addresses.count > 1 ? [FieldProblem("spec.clusterIPs[1]", addresses[1], "cannot be combined with None")] : []
        }
        var problems = addressProblems(addresses, "spec.clusterIPs")
        if addresses.isEmpty, !service.clusterIP.isEmpty, IPAddress(service.clusterIP) == nil {
            problems.append(FieldProblem("spec.clusterIP", service.clusterIP, "must be an IP address, None, or absent"))
        }
        for (index, text) in (addresses.isEmpty ? [service.clusterIP] : addresses).enumerated() {
            guard let address = IPAddress(text), address.isUnusableForServices else { continue }
            problems.append(FieldProblem(addresses.isEmpty ? "spec.clusterIP" : "spec.clusterIPs[\(index)]", text, unusableAddressRule))
        }
        let families = addresses.compactMap { IPAddress($0)?.family }
        if addresses.count > 2 || Set(families).count < families.count {
            problems.append(FieldProblem("spec.clusterIPs", nil, "must contain at most one address of each family"))
        }
        return problems
    }

    private static func familyProblems(_ service: Service) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if Set(service.ipFamilies).count < service.ipFamilies.count {
            problems.append(FieldProblem("spec.ipFamilies", nil, "must contain each family at most once"))
        } else {
            switch service.effectiveFamilyPolicy {
            case "PreferDualStack", "RequireDualStack": break
            case "SingleStack":
                if service.ipFamilies.count > 1 || Set(service.clusterIPs.compactMap { IPAddress($0)?.family }).count > 1 {
                    problems.append(
                        FieldProblem(
                            "spec.ipFamilyPolicy", service.ipFamilyPolicy, "must be PreferDualStack or RequireDualStack for two families"))
                }
            case let policy:
                problems.append(
                    FieldProblem("spec.ipFamilyPolicy", policy, "must be one of SingleStack, PreferDualStack, RequireDualStack"))
            }
        }
        let addresses = service.clusterIPs.isEmpty ? [service.clusterIP] : service.clusterIPs
        for (index, pair) in zip(addresses, service.ipFamilies).enumerated() {
            if let address = IPAddress(pair.0), address.family != pair.1 {
                problems.append(FieldProblem("spec.ipFamilies[\(index)]", pair.1.rawValue, "is not the family of \(pair.0)"))
            }
        }
        return problems
    }

    private static func externalIPProblems(_ service: Service) -> [FieldProblem] {
        service.externalIPs.enumerated().compactMap { index, text in
            let field = "spec.externalIPs[\(index)]"
            guard let address = IPAddress(text) else { return FieldProblem(field, text, "must be an IP address") }
            return address.isUnspecified || address.isLoopback || address.isLinkLocal || address.isLinkLocalMulticast
                ? FieldProblem(field, text, "must not be an unspecified, loopback or link-local address") : nil
        }
    }

    // MARK: - Ports

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
                problems.append(FieldProblem("\(field).port", "\(port.port)", "is a duplicate for \(port.transport.rawValue)"))
            }
            if port.nodePort != 0, !nodePorts.insert(PortAndTransport(port: port.nodePort, transport: port.transport)).inserted {
                problems.append(FieldProblem("\(field).nodePort", "\(port.nodePort)", "is a duplicate for \(port.transport.rawValue)"))
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
            problems.append(FieldProblem("\(field).name", nil, "is required if a Service has several ports"))
        } else if !port.name.isEmpty, !NameSyntax.isLabel(port.name) {
            problems.append(FieldProblem("\(field).name", port.name, labelRule))
        }
        if case .name(let name) = port.targetPort, !isPortName(name) {
            problems.append(
                FieldProblem("\(field).targetPort", name, "must be a port, 1 to 65535, or a name: at most 15 letters, digits and '-'"))
        }
        if port.nodePort != 0, type == .clusterIP {
            problems.append(FieldProblem("\(field).nodePort", "\(port.nodePort)", "is not allowed with type ClusterIP"))
        }
        return problems
    }

    private static func healthCheckProblems(_ service: Service) -> [FieldProblem] {
        guard service.healthCheckNodePort != 0, !service.needsHealthCheckNodePort else { return [] }
        return [
            FieldProblem(
                "spec.healthCheckNodePort", "\(service.healthCheckNodePort)", "needs type LoadBalancer and externalTrafficPolicy: Local")
        ]
    }

    // MARK: - Policies

    private static func affinityProblems(_ service: Service) -> [FieldProblem] {
        guard service.sessionAffinity == .clientIP, let seconds = service.sessionAffinityTimeoutSeconds, !(1...86400).contains(seconds)
        else { return [] }
        return [FieldProblem("spec.sessionAffinityConfig.clientIP.timeoutSeconds", "\(seconds)", "must be 1 to 86400 seconds")]
    }

    private static func policyProblems(_ service: Service, _ written: ServiceAsWritten) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        let isExternal =
            service.type == .nodePort || service.type == .loadBalancer || service.type == .clusterIP && !service.externalIPs.isEmpty
        if let policy = written.externalTrafficPolicy, !policy.isEmpty, !isExternal {
            problems.append(
                FieldProblem("spec.externalTrafficPolicy", policy, "needs type NodePort or LoadBalancer, or external IPs"))
        }
        if written.internalTrafficPolicy == "" {
            problems.append(FieldProblem("spec.internalTrafficPolicy", "", "must be one of Cluster, Local"))
        }
        if let distribution = written.trafficDistribution, TrafficDistribution(rawValue: distribution) == nil {
            let words = TrafficDistribution.allCases.map(\.rawValue).joined(separator: ", ")
            problems.append(FieldProblem("spec.trafficDistribution", distribution, "must be one of \(words)"))
        }
        return problems
    }

    // MARK: - Load balancers

    private static func sourceRangeProblems(_ service: Service) -> [FieldProblem] {
        let field = "spec.loadBalancerSourceRanges"
        if service.type != .loadBalancer, let first = service.loadBalancerSourceRanges.first {
            return [FieldProblem(field, first, loadBalancerRule)]
        }
        return service.loadBalancerSourceRanges.enumerated().compactMap { rangeProblem($1, "\(field)[\($0)]") }
    }

    private static let loadBalancerRule = "requires type LoadBalancer"
    private static let sourceRangesAnnotation = "service.beta.kubernetes.io/load-balancer-source-ranges"

    private static func loadBalancerProblems(_ service: Service, _ written: ServiceAsWritten) -> [FieldProblem] {
        let isBalancer = service.type == .loadBalancer
        var problems: [FieldProblem] = []
        if let allocates = written.allocateLoadBalancerNodePorts, !isBalancer {
            problems.append(FieldProblem("spec.allocateLoadBalancerNodePorts", "\(allocates)", loadBalancerRule))
        }
        if let name = written.loadBalancerClass {
            if !isBalancer {
                problems.append(FieldProblem("spec.loadBalancerClass", name, loadBalancerRule))
            } else if !NameSyntax.isQualifiedName(name) {
                problems.append(FieldProblem("spec.loadBalancerClass", name, "is not a valid class name: \(qualifiedNameRule)"))
            }
        }
        if service.loadBalancerSourceRanges.isEmpty, let ranges = written.annotations[sourceRangesAnnotation] {
            let field = "metadata.annotations.\(sourceRangesAnnotation)"
            if !isBalancer { problems.append(FieldProblem(field, ranges, loadBalancerRule)) }
            if ranges.contains(where: { !$0.isWhitespace }) {
                problems += ranges.split(separator: ",", omittingEmptySubsequences: false).compactMap { rangeProblem(String($0), field) }
            }
        }
        return problems
    }

    /// Returns the problem of a CIDR; the API server accepts spaces around it.
    private static func rangeProblem(_ text: String, _ field: String) -> FieldProblem? {
        let range = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return CIDR(range) == nil ? FieldProblem(field, text, "must be a CIDR such as 192.0.2.0/24") : nil
    }

    private static func ingressProblems(_ ingress: [ServiceAsWritten.Ingress]) -> [FieldProblem] {
        ingress.enumerated().flatMap { index, entry in
            let field = "status.loadBalancer.ingress[\(index)]"
            var problems: [FieldProblem] = []
            if let mode = entry.ipMode {
                if (entry.ip ?? "").isEmpty {
                    problems.append(FieldProblem("\(field).ipMode", mode, "requires ip"))
                } else if mode != "VIP", mode != "Proxy" {
                    problems.append(FieldProblem("\(field).ipMode", mode, "must be one of VIP, Proxy"))
                }
            }
            if let name = entry.hostname, !name.isEmpty {
                if IPAddress(name) != nil {
                    problems.append(FieldProblem("\(field).hostname", name, "must be a host name: set ip for an address"))
                } else if !NameSyntax.isSubdomain(name) {
                    problems.append(FieldProblem("\(field).hostname", name, subdomainRule))
                }
            }
            return problems
        }
    }
}

extension Service {
    /// Whether load balancers check if this node has endpoints of the Service.
    var needsHealthCheckNodePort: Bool { type == .loadBalancer && externalTrafficPolicy == .local }

    /// `spec.ipFamilyPolicy`, or the API server's default.
    var effectiveFamilyPolicy: String {
        ipFamilyPolicy ?? (isHeadless && selector.isEmpty ? "RequireDualStack" : "SingleStack")
    }
}

extension IPAddress {
    /// 224.0.0.0/24 and ff02::/16.
    fileprivate var isLinkLocalMulticast: Bool {
        let bytes = bytes
        return family == .ipv4 ? bytes.prefix(3) == [224, 0, 0] : bytes[0] == 0xff && bytes[1] & 0x0f == 0x02
    }
}
