import Model

/// What only one Service at a time can have.
enum ServiceResource: Hashable, Sendable, CustomStringConvertible {
    case clusterIP(IPAddress)
    case nodePort(UInt16, Transport)

    var description: String {
        switch self {
        case .clusterIP(let address): "\(address)"
        case .nodePort(let port, let transport): "\(port)/\(transport.rawValue)"
        }
    }
}
