internal import Kubernetes
public import Model

/// An address of a Service or its endpoints, or one of its ports, that is refused. The rest of the Service is served.
public struct ServiceRefusal: Hashable, Sendable, CustomStringConvertible {
    /// The field that contains the address.
    public enum Field: Hashable, Sendable, CustomStringConvertible {
        case clusterIP
        case externalIP
        case loadBalancerIngress
        case endpoint(slice: NamespacedName)
        /// A port, with one of the addresses that it would have.
        case port(UInt16, Transport)

        /// The field's name in the API.
        public var description: String {
            switch self {
            case .clusterIP: "spec.clusterIPs"
            case .externalIP: "spec.externalIPs"
            case .loadBalancerIngress: "status.loadBalancer.ingress"
            case .endpoint(let slice): "EndpointSlice \(slice) endpoints.addresses"
            case .port(let number, let transport): "spec.ports \(number)/\(transport.rawValue)"
            }
        }
    }

    /// Why the address is refused.
    public enum Reason: String, Hashable, Sendable {
        case node = "is an address of a node"
        case apiServer = "is an address of the API server"
        case reserved = "is unspecified, loopback, link-local, multicast or reserved"
        case kernel = "is refused by this node's kernel, for example as a broadcast address"
        case limit =
            "the Service would have more than 500000 virtual servers, real servers and set members, or the port more than 50000 endpoints"
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

/// Decides which addresses are refused.
extension NodeContext {
    /// Returns why a Service must not have an address; nil if it may.
    ///
    /// Binding another node's address would cut this node off from that node; binding its own would make it unreachable for everyone: on
    /// that address all ports except the Service's would be rejected.
    func reasonToRefuse(_ address: IPAddress, as field: ServiceRefusal.Field) -> ServiceRefusal.Reason? {
        if address.isUnusableForServices { return .reserved }
        if apiServerAddresses.contains(address) { return .apiServer }
        switch field {
        // Cluster IPs are allocated by the API server; writers of a Node's status must not be able to take them from Services.
        case .clusterIP: return ownAddresses.contains(address) || localAddresses.contains(address) ? .node : nil
        case .externalIP where nodeAddresses.contains(address), .loadBalancerIngress where nodeAddresses.contains(address): return .node
        case .externalIP: return settings.allowsExternalIP(address) ? nil : .notAllowed
        case .loadBalancerIngress, .endpoint, .port: return nil
        }
    }

    /// Whether addresses of a field can only be checked later, when the other Nodes have been listed.
    func isUndecided(_ field: ServiceRefusal.Field) -> Bool {
        switch field {
        case .externalIP, .loadBalancerIngress: otherNodes == .pending
        case .clusterIP, .endpoint, .port: false
        }
    }
}
