internal import Kubernetes
internal import Model
internal import OrderedCollections

/// The endpoints of one Service port and the selection of those that get traffic.
struct PortEndpoints {
    /// The union of the slices' endpoints, each address and port once.
    let all: [EndpointAddress]
    let selection: EndpointSelection
    /// The port number that all endpoints have; nil if the slices differ.
    var port: UInt16?

    func location(of endpoint: EndpointAddress) -> AddressPort {
        port.map { AddressPort(endpoint.location.address, $0) } ?? endpoint.location
    }
}

/// The endpoints of a Service by port.
///
/// Ports with one number throughout the same slices share their endpoints except for that number, so the endpoints are selected only once.
struct ServiceEndpoints {
    private let slices: [EndpointSlice]
    private let serviceAnnotations: ServiceAnnotations
    private let topology: Topology
    /// By the indexes of the slices that have the port.
    private var cached: OrderedDictionary<[Int], PortEndpoints> = [:]
    private var index: [PortKey: Sources]?

    init(_ slices: [EndpointSlice], _ serviceAnnotations: ServiceAnnotations, _ topology: Topology) {
        self.slices = slices
        self.serviceAnnotations = serviceAnnotations
        self.topology = topology
    }

    /// The slices that have a port, with its number in each.
    private typealias Sources = [(slice: Int, port: UInt16)]

    private struct PortKey: Hashable {
        var family: IPFamily
        var name: String
        var transport: Transport

        init(_ port: ServedPort) { (family, name, transport) = (port.family, port.name, port.transport) }

        init(_ port: EndpointPort, _ family: IPFamily) { (self.family, name, transport) = (family, port.name ?? "", port.transport) }
    }

    /// The number of slice ports up to which a search is faster than an index.
    private static let searchedPorts = 16

    private mutating func sources(of port: ServedPort) -> Sources {
        guard slices.reduce(0, { $0 + $1.ports.count }) > ServiceEndpoints.searchedPorts else {
            var sources: Sources = []
            for index in slices.indices where slices[index].addressType.family == port.family && !slices[index].isHeadless {
                for slicePort in slices[index].ports where (slicePort.name ?? "") == port.name && slicePort.transport == port.transport {
                    if let number = slicePort.port, number != 0 { sources.append((index, number)) }
                }
            }
            return sources
        }
        // Built once: searching all ports of the slices for each port of the Service takes seconds if there are thousands.
        let index = index ?? Dictionary(grouping: listedPorts, by: \.key).mapValues { $0.map { ($0.slice, $0.port) } }
        self.index = index
        return index[PortKey(port)] ?? []
    }

    private var listedPorts: some Sequence<(key: PortKey, slice: Int, port: UInt16)> {
        slices.indices.lazy.filter { [slices] in !slices[$0].isHeadless }.flatMap { [slices] slice in
            let family = slices[slice].addressType.family
            return slices[slice].ports.lazy.compactMap { port -> (key: PortKey, slice: Int, port: UInt16)? in
                guard let family, let number = port.port, number != 0 else { return nil }
                return (PortKey(port, family), slice, number)
            }
        }
    }

    /// Returns the number of endpoints that the slices list for a port, including duplicates.
    mutating func count(of port: ServedPort) -> Int { sources(of: port).reduce(0) { $0 + slices[$1.slice].endpoints.count } }

    /// - Parameter refused: addresses that lead to the node itself or to no host are added to it and left out (CVE-2021-25737).
    mutating func endpoints(of port: ServedPort, refused: inout Set<ServiceRefusal>) -> PortEndpoints {
        let sources = sources(of: port)
        guard let number = sources.first?.port, sources.allSatisfy({ $0.port == number }) else {
            return merged(sources, port: nil, port.family, &refused)
        }
        let key = sources.map(\.slice)
        if var endpoints = cached[key] {
            endpoints.port = number
            return endpoints
        }
        let endpoints = merged(sources, port: number, port.family, &refused)
        cached[key] = endpoints
        return endpoints
    }

    /// Merges the endpoints of the slices. While an endpoint moves between two slices, both list its address: a ready copy has precedence
    /// over one that is not ready, and that over a terminating one.
    private func merged(
        _ sources: [(slice: Int, port: UInt16)], port: UInt16?, _ family: IPFamily, _ refused: inout Set<ServiceRefusal>
    ) -> PortEndpoints {
        let count = sources.reduce(0) { $0 + slices[$1.slice].endpoints.count }
        var found: OrderedDictionary<AddressPort, EndpointAddress> = [:]
        found.reserveCapacity(count)
        for source in sources {
            // Not a copy of the slice, which would take as long as the rest.
            for entry in slices[source.slice].endpoints {
                guard var endpoint = EndpointAddress(entry, port: source.port, family: family, nodeName: topology.nodeName) else {
                    continue
                }
                let address = endpoint.location.address
                guard !address.isUnusableForServices else {
                    refused.insert(ServiceRefusal(.endpoint(slice: slices[source.slice].metadata.namespacedName), address, .reserved))
                    continue
                }
                endpoint.weight = serviceAnnotations.weight(of: entry, in: slices[source.slice], at: address)
                found.updateValue(forKey: endpoint.location, default: endpoint) { known in
                    if known.rank < endpoint.rank { known = endpoint }
                }
            }
        }
        let all = found.values.elements
        return PortEndpoints(all: all, selection: EndpointSelection(all, topology), port: port)
    }
}

extension EndpointSlice {
    /// Whether the slice has the label of headless Services, whose slices only DNS uses (`service.kubernetes.io/headless`).
    var isHeadless: Bool { metadata.labels["service.kubernetes.io/headless"] != nil }
}

/// An address that can serve a Service port, with the conditions and hints that decide whether it does.
struct EndpointAddress: Hashable {
    var location: AddressPort
    /// Whether it is on this node.
    var isLocal: Bool
    var isReady: Bool
    var isServing: Bool
    var isTerminating: Bool
    /// The weight in the kernel; with 0 it gets no new connections.
    var weight: UInt32 = 1
    var zoneHints: [String]
    var nodeHints: [String]
    var origin: EndpointOrigin

    /// Whether the health check node port counts it.
    var isLocalAndReady: Bool { isLocal && isReady }

    /// Of two copies of an endpoint, the one with the higher rank is used.
    var rank: Int { isReady ? 2 : isTerminating ? 0 : 1 }

    /// Returns nil without an address of the family. Only the first address is used, as the API specifies
    /// (`EndpointSlice.endpoints[].addresses`).
    init?(_ entry: Endpoint, port: UInt16, family: IPFamily, nodeName: String) {
        guard let address = entry.address, address.family == family else { return nil }
        location = AddressPort(address, port)
        isLocal = entry.nodeName == nodeName
        isReady = entry.isReady
        isServing = entry.isServing
        isTerminating = entry.isTerminating
        (zoneHints, nodeHints) = entry.hasHints ? (entry.zoneHints, entry.nodeHints) : ([], [])
        origin = EndpointOrigin(pod: entry.pod, node: entry.nodeName)
    }
}

/// The endpoints of a Service port that get traffic.
struct EndpointSelection {
    /// Ready endpoints on all nodes, narrowed by topology hints; if none is ready, endpoints that are terminating but still serving
    /// (KEP-1669).
    let cluster: [EndpointAddress]
    /// The same for endpoints on this node, for traffic policies that are Local; hints are not used.
    let local: [EndpointAddress]

    init(_ endpoints: [EndpointAddress], _ topology: Topology) {
        cluster = EndpointSelection.usable(endpoints, topology.narrow)
        local = EndpointSelection.usable(endpoints.filter(\.isLocal)) { $0 }
    }

    private static func usable(
        _ endpoints: [EndpointAddress], _ narrow: ([EndpointAddress]) -> [EndpointAddress]
    ) -> [EndpointAddress] {
        // Almost always all are ready; then the array is not copied.
        let ready = endpoints.allSatisfy(\.isReady) ? endpoints : endpoints.filter(\.isReady)
        return ready.isEmpty ? endpoints.filter { $0.isServing && $0.isTerminating } : narrow(ready)
    }
}
