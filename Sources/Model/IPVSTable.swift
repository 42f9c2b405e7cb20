/// What the kernel says of one virtual server: all of it, foreign ones included; what `kube-ipvs-proxy status` shows.
public struct IPVSService: Hashable, Sendable {
    /// How packets are recognised.
    public enum Key: Hashable, Sendable {
        case address(protocolNumber: UInt16, AddressPort)
        case firewallMark(UInt32, IPFamily)
    }

    public var key: Key
    public var scheduler: String
    /// `IP_VS_SVC_F_*`, the kernel's own HASHED included.
    public var flags: UInt32
    /// Seconds of persistence.
    public var timeout: UInt32
    /// IPv4: the mask as a number, most significant byte first; IPv6: the prefix length.
    public var netmask: UInt32
    public var persistenceEngine: String?
    public var statistics: IPVSStatistics
    public var destinations: [IPVSDestination]

    public init(
        key: Key, scheduler: String, flags: UInt32, timeout: UInt32, netmask: UInt32, persistenceEngine: String? = nil,
        statistics: IPVSStatistics = .init(), destinations: [IPVSDestination] = []
    ) {
        self.key = key
        self.scheduler = scheduler
        self.flags = flags
        self.timeout = timeout
        self.netmask = netmask
        self.persistenceEngine = persistenceEngine
        self.statistics = statistics
        self.destinations = destinations
    }

    public var family: IPFamily { key.family }
}

extension IPVSService.Key {
    public init(_ identity: VirtualServer.Identity) {
        self = .address(protocolNumber: UInt16(identity.transport.number), identity.location)
    }

    public var family: IPFamily {
        switch self {
        case .address(_, let location): location.address.family
        case .firewallMark(_, let family): family
        }
    }

    /// As a virtual server of the model is named; nil for firewall marks and for protocols a Service cannot have.
    public var identity: VirtualServer.Identity? {
        guard case .address(let number, let location) = self, let transport = UInt8(exactly: number).flatMap(Transport.init(number:)) else {
            return nil
        }
        return VirtualServer.Identity(transport, location)
    }
}

extension IPVSService.Key: CustomStringConvertible {
    /// `10.96.0.10:53/UDP`, `FWM 7 IPv4`.
    public var description: String {
        switch self {
        case .address(let number, let location):
            "\(location)/\(UInt8(exactly: number).flatMap(Transport.init(number:))?.rawValue ?? "\(number)")"
        case .firewallMark(let mark, let family): "FWM \(mark) \(family.rawValue)"
        }
    }
}

/// What the kernel says of one real server.
public struct IPVSDestination: Hashable, Sendable {
    public var location: AddressPort
    /// The low bits of `IP_VS_CONN_F_FWD_MASK`.
    public var forwarding: UInt32
    public var weight: UInt32
    public var upperThreshold: UInt32
    public var lowerThreshold: UInt32
    public var connections: RealServer.Connections
    public var statistics: IPVSStatistics
    /// How packets are wrapped where `forwarding` is a tunnel.
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

/// How packets to a real server are wrapped (`IP_VS_CONN_F_TUNNEL_TYPE_*` and `IP_VS_TUNNEL_ENCAP_FLAG_*`, `linux/ip_vs.h`).
public struct IPVSTunnel: Hashable, Sendable {
    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt16
        public init(rawValue: UInt16) { self.rawValue = rawValue }

        public static let checksum = Flags(rawValue: 0x1)
        public static let remoteChecksum = Flags(rawValue: 0x2)
    }

    public var kind: IPVSTunnelKind
    /// Of GUE.
    public var port: UInt16
    public var flags: Flags

    public init(kind: IPVSTunnelKind = .ipip, port: UInt16 = 0, flags: Flags = []) {
        self.kind = kind
        self.port = port
        self.flags = flags
    }
}

/// Counters and rates (`IPVS_STATS_ATTR_*`, `linux/ip_vs.h`): packets and bytes since the counters were last zeroed, rates a second.
public struct IPVSStatistics: Hashable, Sendable {
    public var connections: UInt64 = 0
    public var inPackets: UInt64 = 0
    public var outPackets: UInt64 = 0
    public var inBytes: UInt64 = 0
    public var outBytes: UInt64 = 0
    public var connectionRate: UInt64 = 0
    public var inPacketRate: UInt64 = 0
    public var outPacketRate: UInt64 = 0
    public var inByteRate: UInt64 = 0
    public var outByteRate: UInt64 = 0

    public init() {}
}

/// What `IPVS_CMD_GET_INFO` says.
public struct IPVSInfo: Hashable, Sendable {
    /// Such as 1.2.1, one byte a number.
    public var version: UInt32
    /// Buckets of the connection table.
    public var connectionTableSize: UInt32

    public init(version: UInt32, connectionTableSize: UInt32) {
        self.version = version
        self.connectionTableSize = connectionTableSize
    }

    public var versionText: String { "\(version >> 16 & 0xff).\(version >> 8 & 0xff).\(version & 0xff)" }
}

public enum IPVSTunnelKind: UInt8, Hashable, Sendable {
    case ipip = 0
    case gue = 1
    case gre = 2
}
