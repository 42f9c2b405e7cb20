internal import Kubernetes
internal import Model

/// What one Service asks of a kernel: its share of the desired NodeState.
struct ServiceState: Hashable {
    var virtualServers: [VirtualServer.Identity: VirtualServer] = [:]
    /// To be held by `kube-ipvs0`.
    var addresses: [IPAddress: ServiceOrigin] = [:]
    var members: [SetMember: ServiceOrigin] = [:]
    /// Load balancers that the node itself must not reach.
    var closedToNode: Set<VirtualServer.Identity> = []
    /// Addresses that the Service asks for, whether it gets them or not.
    var wanted: Set<IPAddress> = []
    /// What of the Service is not served.
    var refused: Set<ServiceRefusal> = []
    /// What the Service and its slices say in vain.
    var invalidAnnotations: Set<InvalidAnnotation> = []
    /// Where load balancers ask for the Service; nil where it has no such port.
    var healthCheck: HealthCheckNodePort?
    /// Policies that find no endpoint here.
    var noLocalEndpoints: Set<NoLocalEndpoints> = []

    struct SetMember: Hashable {
        var member: AddressSet.Member
        var set: KubeSet
        var family: IPFamily

        var name: AddressSet.Name { self.set.name(family) }

        /// The virtual server that it is about; nil for what is about an address, a port or an endpoint.
        var virtualServer: VirtualServer.Identity? {
            switch member {
            case .addressPort(let location, let transport), .addressPortNet(let location, let transport, _):
                VirtualServer.Identity(transport, location)
            case .addressPortAddress(let location, let transport, _):
                set == .loopBack ? nil : VirtualServer.Identity(transport, location)
            case .address, .port: nil
            }
        }
    }

    /// - Parameter before: the virtual servers until now, whose real servers are shared where they stay the same.
    init(
        _ service: Service, slices: [EndpointSlice], _ nodeContext: NodeContext,
        before: [VirtualServer.Identity: VirtualServer] = [:]
    ) {
        var localAddresses: [IPFamily: Set<IPAddress>] = [:]
        let serviceAnnotations = ServiceAnnotations(service, slices, nodeContext.settings, invalid: &invalidAnnotations)
        var serviceEndpoints = ServiceEndpoints(slices, serviceAnnotations, nodeContext.topology)
        for port in ServedPort.all(of: service, families: nodeContext.settings.families) {
            let endpoints = serviceEndpoints.of(port, refused: &refused)
            var real = PortRealServers(endpoints, port.transport, serviceAnnotations, before: before)
            addHairpins(port, endpoints)
            addClusterIP(port, &real, serviceAnnotations, nodeContext)
            addExternalIPs(port, &real, serviceAnnotations, nodeContext)
            addLoadBalancerIPs(port, &real, serviceAnnotations, nodeContext)
            if port.nodePort != 0 { addNodePort(port, &real, serviceAnnotations, nodeContext) }
            addHealthCheckNodePort(port)
            noteNoLocalEndpoints(port, endpoints.selection)
            if port.facet.healthCheckNodePort != 0 {
                localAddresses[port.family, default: []].formUnion(endpoints.all.lazy.filter(\.isReadyHere).map(\.location.address))
                healthCheck = HealthCheckNodePort(
                    port: port.facet.healthCheckNodePort, localEndpoints: localAddresses.mapValues(\.count))
            }
        }
    }

    init() {}

    /// Without what is about virtual servers that other Services have: a younger Service must not restrict an older one's.
    mutating func dropContested(_ lost: Set<VirtualServer.Identity>) {
        guard !lost.isEmpty else { return }
        members = members.filter { !($0.key.virtualServer.map(lost.contains) ?? false) }
        closedToNode.subtract(lost)
    }

    // MARK: Kinds of addresses

    /// `internalTrafficPolicy: Local` never leaves the node: without an endpoint here, connections are refused.
    private mutating func addClusterIP(
        _ port: ServedPort, _ real: inout PortRealServers, _ serviceAnnotations: ServiceAnnotations, _ nodeContext: NodeContext
    ) {
        let address = port.facet.clusterIP
        guard isServed(address, .clusterIP, nodeContext) else { return }
        let origin = ServiceOrigin(service: port.service, portName: port.name, kind: .clusterIP)
        let location = AddressPort(address, port.port)
        addVirtualServer(
            port, at: location, port.facet.internalTrafficPolicy == .local ? .local : .cluster, of: &real, origin, serviceAnnotations)
        bind(address, origin, nodeContext)
        add(location, port.transport, to: .clusterIP, origin)
    }

    private mutating func addExternalIPs(
        _ port: ServedPort, _ real: inout PortRealServers, _ serviceAnnotations: ServiceAnnotations, _ nodeContext: NodeContext
    ) {
        let origin = ServiceOrigin(service: port.service, portName: port.name, kind: .externalIP)
        for address in port.facet.externalIPs where isServed(address, .externalIP, nodeContext) {
            let location = AddressPort(address, port.port)
            addExternalServer(port, at: location, &real, origin, serviceAnnotations)
            bind(address, origin, nodeContext)
            add(location, port.transport, to: port.facet.externalTrafficPolicy == .local ? .externalIPLocal : .externalIP, origin)
        }
    }

    private mutating func addLoadBalancerIPs(
        _ port: ServedPort, _ real: inout PortRealServers, _ serviceAnnotations: ServiceAnnotations, _ nodeContext: NodeContext
    ) {
        let origin = ServiceOrigin(service: port.service, portName: port.name, kind: .loadBalancer)
        for address in port.facet.loadBalancerIPs where isServed(address, .loadBalancerIngress, nodeContext) {
            let location = AddressPort(address, port.port)
            addExternalServer(port, at: location, &real, origin, serviceAnnotations)
            bind(address, origin, nodeContext)
            add(location, port.transport, to: .loadBalancer, origin)
            if port.facet.externalTrafficPolicy == .local { add(location, port.transport, to: .loadBalancerLocal, origin) }
            if case .only(let ranges) = port.facet.sourceRanges { restrict(location, port, to: ranges, origin, nodeContext) }
        }
    }

    private mutating func restrict(
        _ location: AddressPort, _ port: ServedPort, to ranges: [CIDR], _ origin: ServiceOrigin, _ nodeContext: NodeContext
    ) {
        let server = VirtualServer.Identity(port.transport, location)
        add(location, port.transport, to: .loadBalancerFirewall, origin)
        for range in ranges {
            add(.addressPortNet(location, port.transport, range), to: .loadBalancerSourceCIDR, port.family, origin)
        }
        // The node talks to a service address from that very address.
        if nodeContext.isNode(in: ranges) {
            let own = AddressSet.Member.addressPortAddress(location, port.transport, location.address)
            add(own, to: .loadBalancerSourceIP, port.family, origin)
        } else {
            closedToNode.insert(server)
        }
    }

    private mutating func addNodePort(
        _ port: ServedPort, _ real: inout PortRealServers, _ serviceAnnotations: ServiceAnnotations, _ nodeContext: NodeContext
    ) {
        let nodeAddresses = nodeContext.nodePortAddresses[port.family] ?? []
        guard !nodeAddresses.isEmpty else { return }
        let origin = ServiceOrigin(service: port.service, portName: port.name, kind: .nodePort)
        let isLocal = port.facet.externalTrafficPolicy == .local
        for address in nodeAddresses {
            let location = AddressPort(address, port.nodePort)
            addExternalServer(port, at: location, &real, origin, serviceAnnotations)
            // A bitmap of ports does not know SCTP.
            guard port.transport == .sctp else { continue }
            add(location, .sctp, to: .nodePortSCTP, origin)
            if isLocal { add(location, .sctp, to: .nodePortLocalSCTP, origin) }
        }
        let sets: (all: KubeSet, local: KubeSet)? =
            switch port.transport {
            case .tcp: (.nodePortTCP, .nodePortLocalTCP)
            case .udp: (.nodePortUDP, .nodePortLocalUDP)
            case .sctp: nil
            }
        guard let sets else { return }
        add(.port(port.nodePort), to: sets.all, port.family, origin)
        if isLocal { add(.port(port.nodePort), to: sets.local, port.family, origin) }
    }

    private mutating func addHealthCheckNodePort(_ port: ServedPort) {
        guard port.facet.healthCheckNodePort != 0 else { return }
        let origin = ServiceOrigin(service: port.service, portName: port.name, kind: .loadBalancer)
        add(.port(port.facet.healthCheckNodePort), to: .healthCheckNodePort, port.family, origin)
    }

    private mutating func noteNoLocalEndpoints(_ port: ServedPort, _ selection: EndpointSelection) {
        guard selection.local.isEmpty, !selection.cluster.isEmpty else { return }
        if port.facet.internalTrafficPolicy == .local { noLocalEndpoints.insert(.init(.internal, port.family)) }
        if port.facet.externalTrafficPolicy == .local { noLocalEndpoints.insert(.init(.external, port.family)) }
    }

    /// A pod of this node that reaches itself through its Service must not see itself as the client: whatever state it is in.
    private mutating func addHairpins(_ port: ServedPort, _ endpoints: PortEndpoints) {
        let origin = ServiceOrigin(service: port.service, portName: port.name, kind: .clusterIP)
        for endpoint in endpoints.all where endpoint.isLocal {
            let location = endpoints.location(of: endpoint)
            add(.addressPortAddress(location, port.transport, location.address), to: .loopBack, port.family, origin)
        }
    }

    // MARK: Parts

    /// Whether the Service gets the address; notes that it asks for it, and why it does not get it.
    private mutating func isServed(_ address: IPAddress, _ field: ServiceRefusal.Field, _ nodeContext: NodeContext) -> Bool {
        wanted.insert(address)
        // Reported once, with all addresses.
        guard !nodeContext.isUndecided(field) else { return false }
        guard let reason = nodeContext.reasonToRefuse(address, as: field) else { return true }
        refused.insert(ServiceRefusal(field, address, reason))
        return false
    }

    private mutating func bind(_ address: IPAddress, _ origin: ServiceOrigin, _ nodeContext: NodeContext) {
        guard nodeContext.bindsToDevice(address), addresses[address] == nil else { return }
        addresses[address] = origin
        add(.address(address), to: .ipvsIPs, address.family, origin)
    }

    /// A virtual server for clients from outside.
    ///
    /// `externalTrafficPolicy: Local` has only endpoints of this node. Where there are none, this node and its pods get those of the cluster,
    /// while rules keep clients from outside away.
    private mutating func addExternalServer(
        _ port: ServedPort, at location: AddressPort, _ real: inout PortRealServers, _ origin: ServiceOrigin,
        _ serviceAnnotations: ServiceAnnotations
    ) {
        let isLocal = port.facet.externalTrafficPolicy == .local
        let hasNone = real.selection.local.isEmpty
        addVirtualServer(port, at: location, isLocal && !hasNone ? .local : .cluster, of: &real, origin, serviceAnnotations)
        if isLocal, hasNone, !real.selection.cluster.isEmpty { add(location, port.transport, to: .noLocalEndpoints, origin) }
    }

    private mutating func addVirtualServer(
        _ port: ServedPort, at location: AddressPort, _ choice: PortRealServers.Choice, of real: inout PortRealServers,
        _ origin: ServiceOrigin, _ serviceAnnotations: ServiceAnnotations
    ) {
        let identity = VirtualServer.Identity(port.transport, location)
        let hasAffinity = port.facet.affinity != nil
        var server = VirtualServer(
            identity, scheduler: serviceAnnotations.scheduler, flags: serviceAnnotations.flags(port.transport, hasAffinity: hasAffinity),
            timeout: port.facet.affinity ?? 0, affinityPrefix: hasAffinity ? serviceAnnotations.affinityPrefix[port.family] : nil,
            origin: origin,
            drainTimeout: serviceAnnotations.drainTimeout, slowStart: serviceAnnotations.slowStart)
        server.realServers = real.servers(choice, for: identity)
        virtualServers[identity] = server
    }

    private mutating func add(_ location: AddressPort, _ transport: Transport, to set: KubeSet, _ origin: ServiceOrigin) {
        add(.addressPort(location, transport), to: set, location.address.family, origin)
    }

    private mutating func add(_ member: AddressSet.Member, to set: KubeSet, _ family: IPFamily, _ origin: ServiceOrigin) {
        members[SetMember(member: member, set: set, family: family)] = origin
    }
}
