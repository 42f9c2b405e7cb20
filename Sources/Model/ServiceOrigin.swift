/// The Service port that a virtual server, an address or a set member belongs to.
public struct ServiceOrigin: Hashable, Sendable, CustomStringConvertible {
    /// Which kind of Service address it is.
    public enum AddressKind: String, Hashable, Sendable {
        case clusterIP = "ClusterIP"
        case nodePort = "NodePort"
        case externalIP = "ExternalIP"
        case loadBalancer = "LoadBalancer"
    }

    /// Virtual servers, addresses and set members of a Service port share it, on the desired side and in the mirror of the kernel.
    private let shared: Shared

    private final class Shared: Sendable {
        let service: NamespacedName
        let portName: String
        let kind: AddressKind

        init(_ service: NamespacedName, _ portName: String, _ kind: AddressKind) {
            self.service = service
            self.portName = portName
            self.kind = kind
        }
    }

    public init(service: NamespacedName, portName: String, kind: AddressKind) { shared = Shared(service, portName, kind) }

    public var service: NamespacedName { shared.service }
    /// `Service.spec.ports[].name`; empty if the only port has none.
    public var portName: String { shared.portName }
    public var kind: AddressKind { shared.kind }

    public static func == (lhs: ServiceOrigin, rhs: ServiceOrigin) -> Bool {
        lhs.shared === rhs.shared
            || lhs.kind == rhs.kind && lhs.portName == rhs.portName && lhs.service == rhs.service
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(service)
        hasher.combine(portName)
        hasher.combine(kind)
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
