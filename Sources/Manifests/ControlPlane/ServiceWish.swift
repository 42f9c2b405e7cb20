internal import Kubernetes
internal import Model

/// What a Service leaves to the control plane to choose.
enum ServiceWish: Hashable, Sendable {
    case clusterIP(IPFamily)
    /// For `spec.ports[].port`, whatever the protocols: they share a node port.
    case nodePort(UInt16)
    case healthCheckNodePort

    /// The field that it fills.
    var field: String {
        switch self {
        case .clusterIP: "spec.clusterIP"
        case .nodePort: "spec.ports[].nodePort"
        case .healthCheckNodePort: "spec.healthCheckNodePort"
        }
    }
}
