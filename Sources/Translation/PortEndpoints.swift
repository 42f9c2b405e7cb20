internal import Kubernetes
internal import Model

/// The endpoints of one Service port, and which of them get traffic.
struct PortEndpoints {
    /// The union of its slices, each address and port once.
    let all: [EndpointAddress]
    let selection: EndpointSelection
    /// The port that all of them have; nil where slices differ.
    var port: UInt16?

    func location(of endpoint: EndpointAddress) -> AddressPort {
        port.map { AddressPort(endpoint.location.address, $0) } ?? endpoint.location
    }
}

/// The endpoints of a Service, port by port.
///
/// Ports that the same slices have, each port with one number, share their endpoints but for that number: what selects them is done once.
struct ServiceEndpoints {
    private let slices: [EndpointSlice]
    private let serviceAnnotations: ServiceAnnotations
    private let topology: Topology
    /// By the slices that have the port.
    private var known: [[Int]: PortEndpoints] = [:]

    init(_ slices: [EndpointSlice], _ serviceAnnotations: ServiceAnnotations, _ topology: Topology) {
        self.slices = slices
        self.serviceAnnotations = serviceAnnotations
        self.topology = topology
    }

    /// - Parameter refused: takes up addresses that lead to the node itself or to nobody, which are left out (CVE-2021-25737).
    mutating func of(_ port: ServedPort, refused: inout Set<ServiceRefusal>) -> PortEndpoints {
        var sources: [(slice: Int, port: UInt16)] = []
        for index in slices.indices where slices[index].addressType.family == port.family && !slices[index].isHeadless {
            for slicePort in slices[index].ports where (slicePort.name ?? "") == port.name && slicePort.transport == port.transport {
                if let number = slicePort.port, number != 0 { sources.append((index, number)) }
            }
        }
        guard let number = sources.first?.port, sources.allSatisfy({ $0.port == number }) else {
            return endpoints(sources, port: nil, port.family, &refused)
        }
        let key = sources.map(\.slice)
        if var endpoints = known[key] {
            endpoints.port = number
            return endpoints
        }
        let endpoints = endpoints(sources, port: number, port.family, &refused)
        known[key] = endpoints
        return endpoints
    }

    /// The same address in two slices, as while an endpoint moves from one to the other, is one endpoint: a copy that is ready counts before one that
    /// is not, and that before one that terminates.
    private func endpoints(
        _ sources: [(slice: Int, port: UInt16)], port: UInt16?, _ family: IPFamily, _ refused: inout Set<ServiceRefusal>
    ) -> PortEndpoints {
        let count = sources.reduce(0) { $0 + slices[$1.slice].endpoints.count }
        var found: [EndpointAddress] = []
        var places: [AddressPort: Int] = [:]
        found.reserveCapacity(count)
        places.reserveCapacity(count)
        for source in sources {
            let slice = slices[source.slice]
            for entry in slice.endpoints {
                guard var endpoint = EndpointAddress(entry, port: source.port, family: family, nodeName: topology.nodeName) else {
                    continue
                }
                let address = endpoint.location.address
                guard !address.isHarmfulAsService else {
                    refused.insert(ServiceRefusal(.endpoint(slice: slice.metadata.namespacedName), address, .reserved))
                    continue
                }
                endpoint.weight = serviceAnnotations.weight(of: entry, in: slice, at: address)
                if let place = places[endpoint.location] {
                    if found[place].rank < endpoint.rank { found[place] = endpoint }
                } else {
                    places[endpoint.location] = found.count
                    found.append(endpoint)
                }
            }
        }
        return PortEndpoints(all: found, selection: EndpointSelection(found, topology), port: port)
    }
}

extension EndpointSlice {
    /// The label of slices that only DNS reads (`service.kubernetes.io/headless`).
    var isHeadless: Bool { metadata.labels["service.kubernetes.io/headless"] != nil }
}

/// An address that can serve a Service port, with what decides whether it does.
struct EndpointAddress: Hashable {
    var location: AddressPort
    /// On this node.
    var isLocal: Bool
    var isReady: Bool
    var isServing: Bool
    var isTerminating: Bool
    /// In the kernel; 0 takes no new connections.
    var weight: UInt32 = 1
    var zoneHints: [String]
    var nodeHints: [String]
    var origin: EndpointOrigin

    /// What load balancers count on this node.
    var isReadyHere: Bool { isLocal && isReady }

    /// Of two copies of an endpoint the higher one counts.
    var rank: Int { isReady ? 2 : isTerminating ? 0 : 1 }

    /// Nil without an address of the family; only the first address counts, as the API says
    /// (`EndpointSlice.endpoints[].addresses`).
    init?(_ entry: Endpoint, port: UInt16, family: IPFamily, nodeName: String) {
        guard let address = entry.addresses.first, address.family == family else { return nil }
        location = AddressPort(address, port)
        isLocal = entry.nodeName == nodeName
        isReady = entry.isReady
        isServing = entry.isServing
        isTerminating = entry.isTerminating
        zoneHints = entry.zoneHints
        nodeHints = entry.nodeHints
        origin = EndpointOrigin(pod: entry.pod, node: entry.nodeName)
    }
}

/// Which endpoints of a Service port get traffic.
struct EndpointSelection {
    /// Ready endpoints anywhere, narrowed to those that are near; where none is ready, those that still serve while they terminate (KEP-1669).
    let cluster: [EndpointAddress]
    /// The same on this node, for policies that ask for local endpoints only; nothing is narrowed.
    let local: [EndpointAddress]

    init(_ endpoints: [EndpointAddress], _ topology: Topology) {
        cluster = EndpointSelection.usable(endpoints, topology.narrow)
        local = EndpointSelection.usable(endpoints.filter(\.isLocal)) { $0 }
    }

    private static func usable(
        _ endpoints: [EndpointAddress], _ narrow: ([EndpointAddress]) -> [EndpointAddress]
    ) -> [EndpointAddress] {
        // Almost always they all are: then none is copied.
        let ready = endpoints.allSatisfy(\.isReady) ? endpoints : endpoints.filter(\.isReady)
        return ready.isEmpty ? endpoints.filter { $0.isServing && $0.isTerminating } : narrow(ready)
    }
}
