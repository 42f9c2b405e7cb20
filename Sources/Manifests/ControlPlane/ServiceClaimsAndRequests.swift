internal import Kubernetes
internal import Model

/// The resources that the manifest of a Service names, and those that it leaves to be chosen.
struct ServiceClaimsAndRequests {
    /// The resources that the manifest names, each with its field.
    var claims: [(resource: ServiceResource, field: String)] = []
    /// The resources to choose, in this order.
    var requests: [AllocationRequest] = []
    /// The families of the Service, the first being that of `spec.clusterIP`.
    var families: [IPFamily] = []
    /// The node port of each of `spec.ports`, if the manifest sets it or that of another protocol of the same port; 0 otherwise.
    var nodePorts: [UInt16] = []
    /// The first reason why the Service cannot be served; nil if there is none.
    private(set) var problem: FieldProblem?
    private var fieldOfNodePort: [UInt16: String] = [:]

    init(_ service: Service, settings: ManifestControlPlane.Settings) {
        guard service.type != .externalName else { return }
        let addresses = service.addresses
        families = addresses.map(\.family)
        addFamilies(service, settings)
        if !service.isHeadless {
            for (index, address) in addresses.enumerated() {
                let field = service.clusterIPs.isEmpty ? "spec.clusterIP" : "spec.clusterIPs[\(index)]"
                claims.append((.clusterIP(address), field))
                let ranges = settings.ranges(of: address.family)
                if !ranges.isEmpty, !ranges.contains(where: { $0.hasHost(address) }) {
                    let list = ranges.map(\.description).joined(separator: ", ")
                    refuse(field, "\(address)", "must be a host address in the range of cluster IPs, \(list) (--service-cluster-ip-range)")
                }
            }
            requests += families.dropFirst(addresses.count).map { .clusterIP($0) }
        }
        addNodePorts(service, settings)
    }

    /// Adds the families that `spec.ipFamilies` and `spec.ipFamilyPolicy` specify beyond those of the cluster IPs.
    private mutating func addFamilies(_ service: Service, _ settings: ManifestControlPlane.Settings) {
        for family in service.ipFamilies where !families.contains(family) { families.append(family) }
        if families.isEmpty { families = [settings.families.first ?? .ipv4] }
        let named = families.count
        if service.effectiveFamilyPolicy != "SingleStack" {
            for family in [IPFamily.ipv4, .ipv6] where !families.contains(family) { families.append(family) }
        }
        // The families of a headless Service only determine its endpoints, which needs no range.
        guard !service.isHeadless else { return }
        let given = service.addresses.count
        let isPreferred = service.ipFamilyPolicy == "PreferDualStack"
        for (index, family) in families.enumerated().reversed() where index >= given && !settings.families.contains(family) {
            if isPreferred, index >= (service.ipFamilies.isEmpty ? named : 1) {
                families.remove(at: index)
            } else {
                let field = index < named ? "spec.ipFamilies" : "spec.ipFamilyPolicy"
                refuse(
                    field, index < named ? family.rawValue : service.ipFamilyPolicy,
                    "needs a cluster IP range of family \(family.rawValue): add one to --service-cluster-ip-range")
            }
        }
    }

    private mutating func refuse(_ field: String, _ value: String?, _ message: String) {
        problem = problem ?? FieldProblem(field, value, message)
    }

    /// Node ports are allocated by number, for all protocols. Within a Service, the protocols of one port may share a node port.
    private mutating func addNodePorts(_ service: Service, _ settings: ManifestControlPlane.Settings) {
        nodePorts = service.ports.map(\.nodePort)
        guard service.type == .nodePort || service.type == .loadBalancer else { return }
        let chooses = service.type == .nodePort || service.allocateLoadBalancerNodePorts
        // A node port that the manifest sets for one protocol of a port applies to all of them.
        let given = Dictionary(
            service.ports.lazy.filter { $0.nodePort != 0 }.map { ($0.port, $0.nodePort) }, uniquingKeysWith: { first, _ in first })
        var seen: Set<UInt16> = []
        for (index, port) in service.ports.enumerated() where port.nodePort != 0 || chooses {
            let isFirst = seen.insert(port.port).inserted
            guard let first = given[port.port] else {
                if isFirst { requests.append(.nodePort(port.port)) }
                continue
            }
            if isFirst || port.nodePort == 0 { nodePorts[index] = first }
            if isFirst || nodePorts[index] != first { claim(nodePorts[index], "spec.ports[\(index)].nodePort", settings) }
        }
        guard service.needsHealthCheckNodePort else { return }
        if service.healthCheckNodePort != 0 {
            claim(service.healthCheckNodePort, "spec.healthCheckNodePort", settings)
        } else {
            requests.append(.healthCheckNodePort)
        }
    }

    private mutating func claim(_ port: UInt16, _ field: String, _ settings: ManifestControlPlane.Settings) {
        // A port outside of the range could belong to a service of the node itself, such as SSH on 22.
        if !settings.nodePorts.contains(port) {
            let range = "\(settings.nodePorts.lowerBound) to \(settings.nodePorts.upperBound)"
            refuse(field, "\(port)", "must be a node port, \(range)")
        }
        if let other = fieldOfNodePort.updateValue(field, forKey: port) {
            refuse(field, "\(port)", "is already allocated to \(other) of this Service: choose another")
        }
        claims.append((.nodePort(port), field))
    }
}

extension Service {
    /// The cluster IPs that the manifest specifies.
    fileprivate var addresses: [IPAddress] {
        isHeadless ? [] : (clusterIPs.isEmpty ? [clusterIP] : clusterIPs).compactMap { IPAddress($0) }
    }

    /// Returns the Service as the API server would store it: with the resources that were chosen for it, and with defaults set.
    func completed(_ demand: ServiceClaimsAndRequests, given: [AllocationRequest: ServiceResource]) -> Service {
        var service = self
        if type != .externalName, !isHeadless {
            var addresses = addresses.map(\.description)
            for case .clusterIP(let family) in demand.requests {
                if case .clusterIP(let address)? = given[.clusterIP(family)] { addresses.append(address.description) }
            }
            service.clusterIPs = addresses
            service.clusterIP = addresses.first ?? ""
        }
        if type != .externalName {
            service.ipFamilies = demand.families
            service.ipFamilyPolicy = effectiveFamilyPolicy
        }
        if sessionAffinity == .clientIP {
            service.sessionAffinityTimeoutSeconds = sessionAffinityTimeoutSeconds ?? Service.defaultSessionAffinityTimeoutSeconds
        }
        for index in service.ports.indices {
            let port = service.ports[index]
            if port.targetPort == nil { service.ports[index].targetPort = .number(port.port) }
            if demand.nodePorts.indices.contains(index) { service.ports[index].nodePort = demand.nodePorts[index] }
            if service.ports[index].nodePort == 0, case .nodePort(let number)? = given[.nodePort(port.port)] {
                service.ports[index].nodePort = number
            }
        }
        if case .nodePort(let number)? = given[.healthCheckNodePort] { service.healthCheckNodePort = number }
        for index in service.loadBalancerIngress.indices where !service.loadBalancerIngress[index].ip.isEmpty {
            service.loadBalancerIngress[index].ipMode = service.loadBalancerIngress[index].ipMode ?? "VIP"
        }
        return service
    }
}

extension CIDR {
    /// Whether the block contains an address that a host can have: not the first, nor in IPv4 the last.
    fileprivate func hasHost(_ other: IPAddress) -> Bool {
        guard contains(other), other != address else { return false }
        return family == .ipv6 || count < 2 || other != address.advanced(by: count - 1)
    }
}
