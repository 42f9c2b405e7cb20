/// One real server as the kernel reports it.
public struct IPVSDestination: Hashable, Sendable {
    public var location: AddressPort
    /// The low bits of `IP_VS_CONN_F_FWD_MASK`.
    public var forwarding: UInt32
    public var weight: UInt32
    public var upperThreshold: UInt32
    public var lowerThreshold: UInt32
    public var connections: RealServer.Connections
    public var statistics: IPVSStatistics
    /// The encapsulation if `forwarding` is a tunnel.
    public var tunnel: IPVSTunnel

    public init(
        location: AddressPort, forwarding: UInt32, weight: UInt32, upperThreshold: UInt32 = 0, lowerThreshold: UInt32 = 0,
        connections: RealServer.Connections = .init(active: 0, inactive: 0), statistics: IPVSStatistics = .init(),
        tunnel: IPVSTunnel = .init()
    ) {
        self.location = location
        self.forwarding = forwarding
        self.weight = weight
        self.upperThreshold = upperThreshold
        self.lowerThreshold = lowerThreshold
        self.connections = connections
        self.statistics = statistics
        self.tunnel = tunnel
    }
}

/// The encapsulation of packets to a real server (`IP_VS_CONN_F_TUNNEL_TYPE_*` and `IP_VS_TUNNEL_ENCAP_FLAG_*`, `linux/ip_vs.h`).
public struct IPVSTunnel: Hashable, Sendable {
    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt16
        public init(rawValue: UInt16) { self.rawValue = rawValue }

        public static let checksum = Flags(rawValue: 0x1)
        public static let remoteChecksum = Flags(rawValue: 0x2)
    }

    public var kind: IPVSTunnelKind
    /// The UDP port of GUE.
    public var port: UInt16
    public var flags: Flags

    public init(kind: IPVSTunnelKind = .ipip, port: UInt16 = 0, flags: Flags = []) {
        self.kind = kind
        self.port = port
        self.flags = flags
    }
}

public enum IPVSTunnelKind: UInt8, Hashable, Sendable {
    case ipip = 0
    case gue = 1
    case gre = 2
}
