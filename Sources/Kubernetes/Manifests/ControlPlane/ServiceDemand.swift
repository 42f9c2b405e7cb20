import Model

/// What a Service claims by name and what it wishes for, from its manifest alone.
struct ServiceDemand {
    /// Claimed by name, each with the field that says so.
    var claims: [(resource: ServiceResource, field: String)] = []
    /// To be chosen, in this order.
    var wishes: [ServiceWish] = []
    /// The families of the Service, the first being that of `spec.clusterIP`.
    var families: [IPFamily] = []
    /// Why it cannot be served at all.
    var problem: FieldProblem?

    init(_ service: Service, settings: ManifestControlPlane.Settings) {
        guard service.type != .externalName else { return }
        let addresses = service.addresses
        families = addresses.map(\.family)
        addFamilies(service, settings)
        if !service.isHeadless {
            for (index, address) in addresses.enumerated() {
                let field = service.clusterIPs.isEmpty ? "spec.clusterIP" : "spec.clusterIPs[\(index)]"
                claims.append((.clusterIP(address), field))
            }
            wishes += families.dropFirst(addresses.count).map { .clusterIP($0) }
        }
        addNodePorts(service, settings)
    }

    /// The families that `spec.ipFamilies` and `spec.ipFamilyPolicy` ask for beyond those of the addresses given.
    private mutating func addFamilies(_ service: Service, _ settings: ManifestControlPlane.Settings) {
        for family in service.ipFamilies where !families.contains(family) { families.append(family) }
        if families.isEmpty { families = [settings.families.first ?? .ipv4] }
        let named = families.count
        if service.ipFamilyPolicy == "PreferDualStack" || service.ipFamilyPolicy == "RequireDualStack" {
            for family in [IPFamily.ipv4, .ipv6] where !families.contains(family) { families.append(family) }
        }
        // What a headless Service lists is only which endpoints it has: no range is needed for that.
        guard !service.isHeadless else { return }
        let given = service.addresses.count
        let isPreferred = service.ipFamilyPolicy == "PreferDualStack"
        for (index, family) in families.enumerated().reversed() where index >= given && !settings.families.contains(family) {
            if isPreferred, index >= (service.ipFamilies.isEmpty ? named : 1) {
                families.remove(at: index)
            } else {
                let field = index < named ? "spec.ipFamilies" : "spec.ipFamilyPolicy"
                problem = FieldProblem(
                    field, index < named ? family.rawValue : service.ipFamilyPolicy,
                    "needs a cluster IP range of family \(family.rawValue): add one to --service-cluster-ip-range"
                )
            }
        }
    }

    private mutating func addNodePorts(_ service: Service, _ settings: ManifestControlPlane.Settings) {
        guard service.type == .nodePort || service.type == .loadBalancer else { return }
        let chooses = service.type == .nodePort || service.allocateLoadBalancerNodePorts
        for (index, port) in service.ports.enumerated() {
            if port.nodePort != 0 {
                // Anything else would take a port away from the node itself: 22 is the way in.
                if !settings.nodePorts.contains(port.nodePort) {
                    let range = "\(settings.nodePorts.lowerBound) to \(settings.nodePorts.upperBound)"
                    problem = FieldProblem("spec.ports[\(index)].nodePort", "\(port.nodePort)", "must be a node port, \(range)")
                }
                claims.append((.nodePort(port.nodePort, port.transport), "spec.ports[\(index)].nodePort"))
            } else if chooses {
                wishes.append(.nodePort(port.port, port.transport))
            }
        }
        guard service.needsHealthCheckNodePort else { return }
        if service.healthCheckNodePort != 0 {
            claims.append((.nodePort(service.healthCheckNodePort, .tcp), "spec.healthCheckNodePort"))
        } else {
            wishes.append(.healthCheckNodePort)
        }
    }
}

extension Service {
    /// The cluster IPs that the manifest gives.
    fileprivate var addresses: [IPAddress] {
        isHeadless ? [] : (clusterIPs.isEmpty ? [clusterIP] : clusterIPs).compactMap { IPAddress($0) }
    }

    /// Whether load balancers ask this node if it has endpoints of the Service.
    fileprivate var needsHealthCheckNodePort: Bool { type == .loadBalancer && externalTrafficPolicy == .local }

    /// The Service as the API server would hold it: with what was chosen for it, and with its defaults spelled out.
    func completed(_ demand: ServiceDemand, given: [ServiceWish: ServiceResource]) -> Service {
        var service = self
        if type != .externalName, !isHeadless {
            var addresses = addresses.map(\.description)
            for case .clusterIP(let family) in demand.wishes {
                if case .clusterIP(let address)? = given[.clusterIP(family)] { addresses.append(address.description) }
            }
            service.clusterIPs = addresses
            service.clusterIP = addresses.first ?? ""
        }
        if type != .externalName { service.ipFamilies = demand.families }
        for index in service.ports.indices {
            let port = service.ports[index]
            if port.targetPort == nil { service.ports[index].targetPort = .number(port.port) }
            if case .nodePort(let number, _)? = given[.nodePort(port.port, port.transport)] { service.ports[index].nodePort = number }
        }
        if case .nodePort(let number, _)? = given[.healthCheckNodePort] { service.healthCheckNodePort = number }
        return service
    }
}
