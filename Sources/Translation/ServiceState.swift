internal import Kubernetes
internal import Model
internal import OrderedCollections

/// The desired state of one Service: its share of the desired NodeState.
struct ServiceState: Hashable {
    // Most Services have one of each. Up to 15, an ordered dictionary searches its keys and hashes nothing.
    var virtualServers: OrderedDictionary<VirtualServer.Identity, VirtualServer> = [:]
    /// To be addresses of the node, bound to `kube-ipvs0` or routed, and members of `KUBE-IPVS-IPS`.
    var addresses: OrderedDictionary<IPAddress, ServiceOrigin> = [:]
    /// Members of the other sets.
    var members: OrderedDictionary<SetMember, ServiceOrigin> = [:]
    /// Load balancers that the node itself must not reach.
    var closedToNode: Set<VirtualServer.Identity> = []
    /// Addresses that the Service requests, including refused ones.
    var requestedAddresses: OrderedSet<IPAddress> = []
    /// Addresses of the Service and its endpoints that are refused.
    var refused: Set<ServiceRefusal> = []
    /// Annotations of the Service and its slices that are ignored.
    var invalidAnnotations: Set<InvalidAnnotation> = []
    /// Nil if the Service has no health check node port.
    var healthCheck: HealthCheckNodePort?
    /// Traffic policies that require endpoints on this node, which has none.
    var noLocalEndpoints: Set<NoLocalEndpoints> = []

    struct SetMember: Hashable {
        var member: AddressSet.Member
        var set: KubeSet
        var family: IPFamily

        init(member: AddressSet.Member, set: KubeSet, family: IPFamily) {
            self.member = member
            self.set = set
            self.family = family
        }

        /// The member that each service address is.
        init(serviceAddress address: IPAddress) { self.init(member: .address(address), set: .ipvsIPs, family: address.family) }

        /// The virtual server that the member refers to; nil if it refers to an address, a port or an endpoint.
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

    /// - Parameter before: the desired virtual servers before this translation, with which unchanged real servers share storage.
    init(
        _ service: Service, slices: [EndpointSlice], _ nodeContext: NodeContext,
        before: [VirtualServer.Identity: VirtualServer] = [:]
    ) {
        var localAddresses: [IPFamily: Set<IPAddress>] = [:]
        let serviceAnnotations = ServiceAnnotations(service, slices, nodeContext.settings, invalid: &invalidAnnotations)
        var serviceEndpoints = ServiceEndpoints(slices, serviceAnnotations, nodeContext.topology)
        var size = ServiceSize()
        for port in ServedPort.all(of: service, nodeContext.settings) {
            guard size.takes(port, endpoints: serviceEndpoints.count(of: port), nodeContext) else {
                refused.insert(ServiceRefusal(.port(port.port, port.transport), port.spec.clusterIP, .limit))
                continue
            }
            let endpoints = serviceEndpoints.endpoints(of: port, refused: &refused)
            var realServers = PortRealServers(endpoints, port.transport, serviceAnnotations, before: before)
            addHairpins(port, endpoints)
            addClusterIP(port, &realServers, serviceAnnotations, nodeContext)
            addExternalIPs(port, &realServers, serviceAnnotations, nodeContext)
            addLoadBalancerIPs(port, &realServers, serviceAnnotations, nodeContext)
            if port.nodePort != 0 { addNodePort(port, &realServers, serviceAnnotations, nodeContext) }
            addHealthCheckNodePort(port)
            recordNoLocalEndpoints(port, endpoints.selection)
            if port.spec.healthCheckNodePort != 0 {
                localAddresses[port.family, default: []].formUnion(endpoints.all.lazy.filter(\.isLocalAndReady).map(\.location.address))
                healthCheck = HealthCheckNodePort(
                    port: port.spec.healthCheckNodePort, localEndpoints: localAddresses.mapValues(\.count))
            }
        }
    }

    init() {}

    /// Removes set members and restrictions of virtual servers that other Services hold: a younger Service must not restrict an older one.
    mutating func dropContested(_ lost: Set<VirtualServer.Identity>) {
        guard !lost.isEmpty else { return }
        members = members.filter { !($0.key.virtualServer.map(lost.contains) ?? false) }
        closedToNode.subtract(lost)
    }

    // MARK: Kinds of addresses

    /// With `internalTrafficPolicy: Local`, traffic never leaves the node: without a local endpoint, connections are refused.
    private mutating func addClusterIP(
        _ port: ServedPort, _ realServers: inout PortRealServers, _ serviceAnnotations: ServiceAnnotations, _ nodeContext: NodeContext
    ) {
        let address = port.spec.clusterIP
        guard isServed(address, .clusterIP, nodeContext) else { return }
        let origin = ServiceOrigin(service: port.service, portName: port.name, kind: .clusterIP)
        let location = AddressPort(address, port.port)
        addVirtualServer(
            port, at: location, port.spec.internalTrafficPolicy == .local ? .local : .cluster, of: &realServers, origin, serviceAnnotations)
        bind(address, origin, nodeContext)
        add(location, port.transport, to: .clusterIP, origin)
    }

    private mutating func addExternalIPs(
        _ port: ServedPort, _ realServers: inout PortRealServers, _ serviceAnnotations: ServiceAnnotations, _ nodeContext: NodeContext
    ) {
        guard !port.spec.externalIPs.isEmpty else { return }
        let origin = ServiceOrigin(service: port.service, portName: port.name, kind: .externalIP)
        for address in port.spec.externalIPs where isServed(address, .externalIP, nodeContext) {
            let location = AddressPort(address, port.port)
            addExternalServer(port, at: location, &realServers, origin, serviceAnnotations)
            bind(address, origin, nodeContext)
            add(location, port.transport, to: port.spec.externalTrafficPolicy == .local ? .externalIPLocal : .externalIP, origin)
        }
    }

    private mutating func addLoadBalancerIPs(
        _ port: ServedPort, _ realServers: inout PortRealServers, _ serviceAnnotations: ServiceAnnotations, _ nodeContext: NodeContext
    ) {
        guard !port.spec.loadBalancerIPs.isEmpty else { return }
        let origin = ServiceOrigin(service: port.service, portName: port.name, kind: .loadBalancer)
        for address in port.spec.loadBalancerIPs where isServed(address, .loadBalancerIngress, nodeContext) {
            let location = AddressPort(address, port.port)
            addExternalServer(port, at: location, &realServers, origin, serviceAnnotations)
            bind(address, origin, nodeContext)
            add(location, port.transport, to: .loadBalancer, origin)
            if port.spec.externalTrafficPolicy == .local { add(location, port.transport, to: .loadBalancerLocal, origin) }
            if case .only(let ranges) = port.spec.sourceRanges { restrict(location, port, to: ranges, origin, nodeContext) }
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
        // Connections of the node itself to a service address have that address as their source, unless it is routed.
        if nodeContext.isNode(in: ranges) {
            let own = AddressSet.Member.addressPortAddress(location, port.transport, location.address)
            add(own, to: .loadBalancerSourceIP, port.family, origin)
        } else {
            closedToNode.insert(server)
        }
    }

    private mutating func addNodePort(
        _ port: ServedPort, _ realServers: inout PortRealServers, _ serviceAnnotations: ServiceAnnotations, _ nodeContext: NodeContext
    ) {
        let nodeAddresses = nodeContext.nodePortAddresses[port.family] ?? []
        guard !nodeAddresses.isEmpty else { return }
        let origin = ServiceOrigin(service: port.service, portName: port.name, kind: .nodePort)
        let isLocal = port.spec.externalTrafficPolicy == .local
        for address in nodeAddresses {
            let location = AddressPort(address, port.nodePort)
            addExternalServer(port, at: location, &realServers, origin, serviceAnnotations)
            // Only the sets for SCTP contain addresses.
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
        guard port.spec.healthCheckNodePort != 0 else { return }
        let origin = ServiceOrigin(service: port.service, portName: port.name, kind: .loadBalancer)
        add(.port(port.spec.healthCheckNodePort), to: .healthCheckNodePort, port.family, origin)
    }

    private mutating func recordNoLocalEndpoints(_ port: ServedPort, _ selection: EndpointSelection) {
        guard selection.local.isEmpty, !selection.cluster.isEmpty else { return }
        if port.spec.internalTrafficPolicy == .local { noLocalEndpoints.insert(.init(.internal, port.family)) }
        if port.spec.externalTrafficPolicy == .local { noLocalEndpoints.insert(.init(.external, port.family)) }
    }

    /// A pod of this node, ready or not, that connects to itself through its Service must not see its own address as the client's.
    private mutating func addHairpins(_ port: ServedPort, _ endpoints: PortEndpoints) {
        guard endpoints.all.contains(where: \.isLocal) else { return }
        let origin = ServiceOrigin(service: port.service, portName: port.name, kind: .clusterIP)
        for endpoint in endpoints.all where endpoint.isLocal {
            let location = endpoints.location(of: endpoint)
            add(.addressPortAddress(location, port.transport, location.address), to: .loopBack, port.family, origin)
        }
    }

    // MARK: Parts

    /// Returns whether the Service gets the address. Records the request and, if the address is refused, the reason.
    private mutating func isServed(_ address: IPAddress, _ field: ServiceRefusal.Field, _ nodeContext: NodeContext) -> Bool {
        requestedAddresses.append(address)
        // Not yet a refusal: refusals are reported once, for all addresses.
        guard !nodeContext.isUndecided(field) else { return false }
        guard let reason = nodeContext.reasonToRefuse(address, as: field) else { return true }
        refused.insert(ServiceRefusal(field, address, reason))
        return false
    }

    private mutating func bind(_ address: IPAddress, _ origin: ServiceOrigin, _ nodeContext: NodeContext) {
        guard nodeContext.bindsToDevice(address), addresses[address] == nil else { return }
        addresses[address] = origin
    }

    /// A virtual server for clients from outside.
    ///
    /// With `externalTrafficPolicy: Local` it has only endpoints on this node. If there are none, it has those of the cluster for this node
    /// and its pods, while rules drop traffic of clients from outside.
    private mutating func addExternalServer(
        _ port: ServedPort, at location: AddressPort, _ realServers: inout PortRealServers, _ origin: ServiceOrigin,
        _ serviceAnnotations: ServiceAnnotations
    ) {
        let isLocal = port.spec.externalTrafficPolicy == .local
        let hasNoLocalEndpoints = realServers.selection.local.isEmpty
        addVirtualServer(
            port, at: location, isLocal && !hasNoLocalEndpoints ? .local : .cluster, of: &realServers, origin, serviceAnnotations)
        if isLocal, hasNoLocalEndpoints, !realServers.selection.cluster.isEmpty {
            add(location, port.transport, to: .noLocalEndpoints, origin)
        }
    }

    private mutating func addVirtualServer(
        _ port: ServedPort, at location: AddressPort, _ choice: PortRealServers.Choice, of realServers: inout PortRealServers,
        _ origin: ServiceOrigin, _ serviceAnnotations: ServiceAnnotations
    ) {
        let identity = VirtualServer.Identity(port.transport, location)
        let hasAffinity = port.spec.affinity != nil
        var server = VirtualServer(
            identity, scheduler: serviceAnnotations.scheduler, flags: serviceAnnotations.flags(port.transport, hasAffinity: hasAffinity),
            timeout: port.spec.affinity ?? 0, affinityPrefix: hasAffinity ? serviceAnnotations.affinityPrefix[port.family] : nil,
            origin: origin,
            drainTimeout: serviceAnnotations.drainTimeout, slowStart: serviceAnnotations.slowStart)
        server.realServers = realServers.servers(choice, for: identity)
        virtualServers[identity] = server
    }

    private mutating func add(_ location: AddressPort, _ transport: Transport, to set: KubeSet, _ origin: ServiceOrigin) {
        add(.addressPort(location, transport), to: set, location.address.family, origin)
    }

    private mutating func add(_ member: AddressSet.Member, to set: KubeSet, _ family: IPFamily, _ origin: ServiceOrigin) {
        members[SetMember(member: member, set: set, family: family)] = origin
    }
}
