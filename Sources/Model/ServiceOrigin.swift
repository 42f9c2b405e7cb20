/// The Service port that a virtual server, an address or a set member belongs to.
public struct ServiceOrigin: Hashable, Sendable, CustomStringConvertible {
    /// Which kind of Service address it is.
    public enum AddressKind: String, Hashable, Sendable {
        case clusterIP = "ClusterIP"
        case nodePort = "NodePort"
        case externalIP = "ExternalIP"
        case loadBalancer = "LoadBalancer"
    }

    public var service: NamespacedName
    /// `Service.spec.ports[].name`; empty if the only port has none.
    public var portName: String
    public var kind: AddressKind

    public init(service: NamespacedName, portName: String, kind: AddressKind) {
        self.service = service
        self.portName = portName
        self.kind = kind
    }

    /// `default/web:http (ClusterIP)`.
    public var description: String {
        "\(service)\(portName.isEmpty ? "" : ":\(portName)") (\(kind.rawValue))"
    }
}

/// The endpoint that a real server represents.
public struct EndpointOrigin: Hashable, Sendable {
    /// `EndpointSlice.endpoints[].targetRef.name` if it names a Pod.
    public var pod: String?
    /// `EndpointSlice.endpoints[].nodeName`.
    public var node: String?

    public init(pod: String?, node: String?) {
        self.pod = pod
        self.node = node
    }
}
