internal import Model

/// The real servers of one Service port. All its addresses share one collection for each choice of endpoints.
struct PortRealServers {
    enum Choice {
        /// Endpoints on all nodes, narrowed by topology hints.
        case cluster
        /// Endpoints on this node.
        case local
    }

    private let endpoints: PortEndpoints
    private let transport: Transport
    private let serviceAnnotations: ServiceAnnotations
    /// The desired virtual servers before this translation.
    private let before: [VirtualServer.Identity: VirtualServer]
    private var cluster: RealServers?
    private var local: RealServers?

    init(
        _ endpoints: PortEndpoints, _ transport: Transport, _ serviceAnnotations: ServiceAnnotations,
        before: [VirtualServer.Identity: VirtualServer]
    ) {
        self.endpoints = endpoints
        self.transport = transport
        self.serviceAnnotations = serviceAnnotations
        self.before = before
    }

    var selection: EndpointSelection { endpoints.selection }

    /// - Parameter server: the virtual server that gets them.
    mutating func servers(_ choice: Choice, for server: VirtualServer.Identity) -> RealServers {
        if let servers = choice == .local ? local : cluster { return servers }
        var servers = build(choice == .local ? selection.local : selection.cluster)
        // Keeps the storage of unchanged real servers, so that comparing it is free for each address.
        if let before = before[server]?.realServers, before == servers { servers = before }
        if choice == .local { local = servers } else { cluster = servers }
        return servers
    }

    private func build(_ chosen: [EndpointAddress]) -> RealServers {
        var servers: [RealServer] = []
        servers.reserveCapacity(chosen.count)
        // Only TCP connections can drain: flows of other protocols to a server with weight 0 might never end.
        for endpoint in chosen where transport == .tcp || endpoint.weight > 0 {
            let location = endpoints.location(of: endpoint)
            servers.append(
                RealServer(
                    location, weight: endpoint.weight, upperThreshold: serviceAnnotations.upperThreshold,
                    lowerThreshold: serviceAnnotations.lowerThreshold, origin: endpoint.origin))
        }
        return RealServers(servers)
    }
}

/// Compares virtual servers with their previous desired state.
///
/// The virtual servers of one Service port have the same real servers, so a difference in these is searched for once, not for each address.
struct VirtualServerComparison {
    /// The last ones. A Service with thousands of ports, which all differ, would be compared for long with all differences.
    private var differences: [AddressPort] = []
    private static let limit = 4

    mutating func isSame(_ before: VirtualServer?, _ now: VirtualServer) -> Bool {
        guard var before else { return false }
        let old = before.realServers
        before.realServers = now.realServers
        guard before == now, !differences.contains(where: { old[$0] != now.realServers[$0] }) else { return false }
        guard let difference = VirtualServerComparison.difference(old, now.realServers) else { return true }
        if differences.count == VirtualServerComparison.limit { differences.removeFirst() }
        differences.append(difference)
        return false
    }

    /// Returns a location at which both differ; nil if they are equal.
    private static func difference(_ old: RealServers, _ new: RealServers) -> AddressPort? {
        guard old != new else { return nil }
        return zip(old, new).first { $0 != $1 }.map { min($0.location, $1.location) }
            ?? (old.dropFirst(new.count).first ?? new.dropFirst(old.count).first)?.location
    }
}
