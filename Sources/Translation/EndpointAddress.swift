internal import Kubernetes
internal import Model

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

    /// The endpoints of a Service port: the union of its slices, each address and port once.
    ///
    /// The same address in two slices, as while an endpoint moves from one to the other, is one endpoint: a copy that is ready counts before one that
    /// is not, and that before one that terminates.
    ///
    /// - Parameter refused: takes up addresses that lead to the node itself or to nobody, which are left out (CVE-2021-25737).
    static func all(
        in slices: some Sequence<EndpointSlice>, port: ServedPort, nodeName: String, _ steering: ServiceSteering,
        refused: inout Set<Refusal>
    ) -> [EndpointAddress] {
        var found: [AddressPort: EndpointAddress] = [:]
        for slice in slices where slice.addressType.family == port.family && !slice.isHeadless {
            for slicePort in slice.ports where (slicePort.name ?? "") == port.name && slicePort.transport == port.transport {
                guard let number = slicePort.port, number != 0 else { continue }
                for entry in slice.endpoints {
                    guard var endpoint = EndpointAddress(entry, port: number, family: port.family, nodeName: nodeName) else { continue }
                    let address = endpoint.location.address
                    guard !address.isHarmfulAsService else {
                        refused.insert(Refusal(.endpoint(slice: slice.metadata.namespacedName), address, .nobody))
                        continue
                    }
                    endpoint.weight = steering.weight(of: entry, in: slice, at: address)
                    if found[endpoint.location].map({ $0.rank < endpoint.rank }) ?? true { found[endpoint.location] = endpoint }
                }
            }
        }
        return Array(found.values)
    }

    /// What load balancers count on this node.
    var isReadyHere: Bool { isLocal && isReady }

    private var rank: Int { isReady ? 2 : isTerminating ? 0 : 1 }

    /// Nil without an address of the family; only the first address counts, as the API says
    /// (`EndpointSlice.endpoints[].addresses`).
    private init?(_ entry: Endpoint, port: UInt16, family: IPFamily, nodeName: String) {
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

extension EndpointSlice {
    /// The label of slices that only DNS reads (`service.kubernetes.io/headless`).
    var isHeadless: Bool { metadata.labels["service.kubernetes.io/headless"] != nil }
}
