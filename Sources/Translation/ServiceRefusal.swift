internal import Kubernetes
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

/// Which addresses are refused.
extension NodeContext {
    /// Why a Service must not have an address; nil where it may.
    ///
    /// Binding an address of a node would cut this node off from it, and this node's own from everybody: everything but the Service's ports would be
    /// refused on it.
    func reasonToRefuse(_ address: IPAddress, as field: ServiceRefusal.Field) -> ServiceRefusal.Reason? {
        if address.isHarmfulAsService { return .reserved }
        if apiServerAddresses.contains(address) { return .apiServer }
        switch field {
        // The API server gives cluster IPs out; who writes the status of a Node must not take them away from Services.
        case .clusterIP: return ownAddresses.contains(address) || localAddresses.contains(address) ? .node : nil
        case .externalIP where nodeAddresses.contains(address), .loadBalancerIngress where nodeAddresses.contains(address): return .node
        case .externalIP: return settings.allowsExternalIP(address) ? nil : .notAllowed
        case .loadBalancerIngress, .endpoint: return nil
        }
    }

    /// Whether it shows later whether a Service may have an address: when the other Nodes have been listed.
    func isUndecided(_ field: ServiceRefusal.Field) -> Bool {
        switch field {
        case .externalIP, .loadBalancerIngress: otherNodes == .pending
        case .clusterIP, .endpoint: false
        }
    }
}
