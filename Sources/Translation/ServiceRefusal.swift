public import Model

/// An address that a Service or its endpoints name and that is not served: the rest of the Service works.
public struct ServiceRefusal: Hashable, Sendable, CustomStringConvertible {
    /// Where the address stands.
    public enum Field: Hashable, Sendable, CustomStringConvertible {
        case clusterIP
        case externalIP
        case loadBalancerIngress
        case endpoint(slice: NamespacedName)

        /// The API's name of it.
        public var description: String {
            switch self {
            case .clusterIP: "spec.clusterIPs"
            case .externalIP: "spec.externalIPs"
            case .loadBalancerIngress: "status.loadBalancer.ingress"
            case .endpoint(let slice): "EndpointSlice \(slice) endpoints.addresses"
            }
        }
    }

    /// Why it would do harm, or who forbids it.
    public enum Reason: String, Hashable, Sendable {
        case node = "is an address of a node"
        case apiServer = "is an address of the API server"
        case reserved = "is unspecified, loopback, link-local, multicast or reserved"
        case kernel = "is refused by this node's kernel, for example as a broadcast address"
        case notAllowed = "is not allowed by --external-ip-cidrs or feature gate AllowServiceExternalIPs"
    }

    public var field: Field
    public var address: IPAddress
    public var reason: Reason

    public init(_ field: Field, _ address: IPAddress, _ reason: Reason) {
        self.field = field
        self.address = address
        self.reason = reason
    }

    /// `spec.externalIPs 10.99.0.2: is an address of a node`.
    public var description: String { "\(field) \(address): \(reason.rawValue)" }
}

extension ServiceRefusal: Comparable {
    public static func < (lhs: ServiceRefusal, rhs: ServiceRefusal) -> Bool {
        lhs.address == rhs.address ? lhs.description < rhs.description : lhs.address < rhs.address
    }
}
