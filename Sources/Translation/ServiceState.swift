internal import Kubernetes
internal import Model

/// What one Service asks of a kernel: its share of the desired NodeState.
struct ServiceState: Hashable {
    var virtualServers: [VirtualServer.Identity: VirtualServer] = [:]
    /// To be held by `kube-ipvs0`.
    var addresses: [IPAddress: ServiceOrigin] = [:]
    var members: [SetMember: ServiceOrigin] = [:]
    /// Addresses that the Service asks for and does not get, because they are this node's own or nobody's.
    var refused: Set<IPAddress> = []

    struct SetMember: Hashable {
        var set: AddressSet.Name
        var member: AddressSet.Member
    }

    /// What decides the share besides the Service itself.
    struct Surroundings {
        var settings: TranslationSettings
        /// Addresses on which node ports answer, by family.
        var nodePortAddresses: [IPFamily: [IPAddress]]
        /// Addresses of this node on interfaces other than `kube-ipvs0`.
        var localAddresses: Set<IPAddress>

        /// Binding it would cut this node off: everything but the Service's ports would be refused on it.
        func isHarmful(_ address: IPAddress) -> Bool { address.isHarmfulAsService || localAddresses.contains(address) }
    }

    init(_ service: Service, slices: some Collection<EndpointSlice>, _ surroundings: Surroundings) {
        for port in ServedPort.all(of: service, families: surroundings.settings.families) {
            let endpoints = EndpointAddress.all(in: slices, port: port, nodeName: surroundings.settings.nodeName)
            let selection = EndpointSelection(endpoints)
            addHairpins(port, endpoints)
            addClusterIP(port, selection, surroundings)
            if port.nodePort != 0 { addNodePort(port, selection, surroundings) }
        }
    }

    init() {}

    private mutating func addClusterIP(_ port: ServedPort, _ selection: EndpointSelection, _ surroundings: Surroundings) {
        guard !surroundings.isHarmful(port.clusterIP) else {
            refused.insert(port.clusterIP)
            return
        }
        let origin = ServiceOrigin(service: port.service, portName: port.name, kind: .clusterIP)
        let location = AddressPort(port.clusterIP, port.port)
        addVirtualServer(port, at: location, selection.cluster, origin, surroundings)
        addresses[port.clusterIP] = origin
        add(.addressPort(location, port.transport), to: .clusterIP, port.family, origin)
        add(.address(port.clusterIP), to: .ipvsIPs, port.family, origin)
    }

    private mutating func addNodePort(_ port: ServedPort, _ selection: EndpointSelection, _ surroundings: Surroundings) {
        let nodeAddresses = surroundings.nodePortAddresses[port.family] ?? []
        guard !nodeAddresses.isEmpty else { return }
        let origin = ServiceOrigin(service: port.service, portName: port.name, kind: .nodePort)
        for address in nodeAddresses {
            let location = AddressPort(address, port.nodePort)
            addVirtualServer(port, at: location, selection.cluster, origin, surroundings)
            // A bitmap of ports does not know SCTP.
            if port.transport == .sctp { add(.addressPort(location, .sctp), to: .nodePortSCTP, port.family, origin) }
        }
        switch port.transport {
        case .tcp: add(.port(port.nodePort), to: .nodePortTCP, port.family, origin)
        case .udp: add(.port(port.nodePort), to: .nodePortUDP, port.family, origin)
        case .sctp: break
        }
    }

    /// A pod of this node that reaches itself through its Service must not see itself as the client: whatever state it is in.
    private mutating func addHairpins(_ port: ServedPort, _ endpoints: [EndpointAddress]) {
        let origin = ServiceOrigin(service: port.service, portName: port.name, kind: .clusterIP)
        for endpoint in endpoints where endpoint.isLocal {
            add(.addressPortAddress(endpoint.location, port.transport, endpoint.location.address), to: .loopBack, port.family, origin)
        }
    }

    private mutating func addVirtualServer(
        _ port: ServedPort, at location: AddressPort, _ endpoints: [EndpointAddress], _ origin: ServiceOrigin, _ surroundings: Surroundings
    ) {
        let identity = VirtualServer.Identity(port.transport, location)
        var flags = Affinity.flags(of: surroundings.settings.scheduler)
        if port.affinity != nil { flags.insert(.persistent) }
        virtualServers[identity] = VirtualServer(
            identity, scheduler: surroundings.settings.scheduler, flags: flags, timeout: port.affinity ?? 0,
            realServers: endpoints.map { RealServer($0.location, origin: $0.origin) }, origin: origin)
    }

    private mutating func add(_ member: AddressSet.Member, to set: KubeSet, _ family: IPFamily, _ origin: ServiceOrigin) {
        members[SetMember(set: set.name(family), member: member)] = origin
    }
}
