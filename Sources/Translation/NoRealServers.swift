public import Kubernetes
public import Model

/// Why a virtual server has no real servers.
public enum NoRealServers: Hashable, Sendable, CustomStringConvertible {
    case noSlices(hasSelector: Bool)
    case noSliceOfFamily(IPFamily)
    case noEndpoints(hasSelector: Bool)
    case noPort(name: String, Transport)
    case noneReady(count: Int)
    /// `internalTrafficPolicy: Local`
    case noneOnThisNode(count: Int)
    case allExcluded(count: Int)

    /// - Parameter server: a virtual server that got no real servers from this Service and these slices.
    public init(
        _ server: VirtualServer, of origin: ServiceOrigin, _ service: Service?, _ slices: some Collection<EndpointSlice>, nodeName: String
    ) {
        let hasSelector = service?.selector.isEmpty == false
        let family = server.identity.family
        let ofFamily = slices.filter { $0.addressType.family == family }
        let slicesWithPort = ofFamily.filter { slice in
            slice.ports.contains { ($0.name ?? "") == origin.portName && $0.transport == server.identity.transport }
        }
        let endpoints = slicesWithPort.flatMap(\.endpoints)
        let ready = endpoints.filter(\.isReady)
        if slices.isEmpty {
            self = .noSlices(hasSelector: hasSelector)
        } else if ofFamily.isEmpty {
            self = .noSliceOfFamily(family)
        } else if ofFamily.allSatisfy(\.endpoints.isEmpty) {
            self = .noEndpoints(hasSelector: hasSelector)
        } else if endpoints.isEmpty {
            self = .noPort(name: origin.portName, server.identity.transport)
        } else if ready.isEmpty {
            self = .noneReady(count: endpoints.count)
        } else if origin.kind == .clusterIP, service?.internalTrafficPolicy == .local, !ready.contains(where: { $0.nodeName == nodeName }) {
            self = .noneOnThisNode(count: ready.count)
        } else {
            self = .allExcluded(count: ready.count)
        }
    }

    public var description: String {
        switch self {
        case .noSlices(true): "the Service has no EndpointSlice: its selector has never matched a pod"
        case .noSlices(false): "the Service has no selector and no EndpointSlice"
        case .noSliceOfFamily(let family): "the Service has no \(family.rawValue) EndpointSlice"
        case .noEndpoints(true): "no pod matches the Service's selector"
        case .noEndpoints(false): "the Service's EndpointSlices are empty"
        case .noPort(let name, let transport): "no endpoint has a \(transport.rawValue) port \(name.isEmpty ? "without a name" : name)"
        case .noneReady(1): "its only endpoint is not ready"
        case .noneReady(let count): "none of its \(count) endpoints is ready"
        case .noneOnThisNode(1): "internalTrafficPolicy is Local, and its only ready endpoint is on another node"
        case .noneOnThisNode(let count): "internalTrafficPolicy is Local, and its \(count) ready endpoints are on other nodes"
        case .allExcluded(let count): "\(count) endpoints are ready, but excluded by their addresses, ports or hints"
        }
    }
}
