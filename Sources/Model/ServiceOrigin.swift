/// The Service port that a virtual server, an address or a set member stands for.
public struct ServiceOrigin: Hashable, Sendable, CustomStringConvertible {
    /// Which of a Service's addresses it is.
    public enum AddressKind: String, Hashable, Sendable {
        case clusterIP = "ClusterIP"
        case nodePort = "NodePort"
        case externalIP = "ExternalIP"
        case loadBalancer = "LoadBalancer"
    }

    public var service: NamespacedName
    /// `Service.spec.ports[].name`; empty where the only port has none.
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

/// The endpoint that a real server stands for.
public struct EndpointOrigin: Hashable, Sendable {
    /// `EndpointSlice.endpoints[].targetRef.name` where it names a Pod.
    public var pod: String?
    /// `EndpointSlice.endpoints[].nodeName`.
    public var node: String?

    public init(pod: String?, node: String?) {
        self.pod = pod
        self.node = node
    }
}
