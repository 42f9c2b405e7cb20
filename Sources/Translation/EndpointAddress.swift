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
