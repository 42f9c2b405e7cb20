internal import Kubernetes
internal import Model

/// What only one Service at a time can have.
enum ServiceResource: Hashable, Sendable, CustomStringConvertible {
    case clusterIP(IPAddress)
    /// A port of the node, for traffic or for health checks; of all protocols, as in Kubernetes.
    case nodePort(UInt16)

    var description: String {
        switch self {
        case .clusterIP(let address): "\(address)"
        case .nodePort(let port): "\(port)"
        }
    }
}
