public import Model

/// The address that a server listens on.
public struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    public enum Host: Hashable, Sendable {
        /// All addresses of both families; only IPv4 if the kernel has no IPv6.
        case everywhere
        /// All addresses of one family.
        case all(IPFamily)
        case address(IPAddress)
        /// A Unix domain socket for root only; the port is unused.
        case socket(path: String)
    }

    public var host: Host
    public var port: UInt16

    public init(_ host: Host, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Creates an address from a flag: an unspecified address of either family means all addresses of both, as for Go's
    /// `net.Listen("tcp", …)`.
    public init(_ location: AddressPort) {
        self.init(location.address.isUnspecified ? .everywhere : .address(location.address), port: location.port)
    }

    public var description: String {
        switch host {
        case .everywhere, .all(.ipv6): "[::]:\(port)"
        case .all(.ipv4): "0.0.0.0:\(port)"
        case .address(let address): "\(AddressPort(address, port))"
        case .socket(let path): path
        }
    }
}

/// A failure to listen on an address.
public struct ListenError: Error, Hashable, Sendable, CustomStringConvertible {
    public var address: ListenAddress
    /// The error of the kernel.
    public var reason: String

    /// `listen on 0.0.0.0:30000: Address already in use`.
    public var description: String { "listen on \(address): \(reason)" }
}
