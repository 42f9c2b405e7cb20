public import Model

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

    public var family: IPFamily {
        switch key {
        case .address(_, let location): location.address.family
        case .firewallMark(_, let family): family
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
}

/// What `IPVS_CMD_GET_INFO` says.
public struct IPVSInfo: Hashable, Sendable {
    /// Such as 1.2.1, one byte a number.
    public var version: UInt32
    /// Buckets of the connection table.
    public var connectionTableSize: UInt32

    public var versionText: String { "\(version >> 16 & 0xff).\(version >> 8 & 0xff).\(version & 0xff)" }
}

extension IPVSService {
    /// As a virtual server of the model; nil for firewall marks and for protocols a Service cannot have.
    var virtualServer: VirtualServer? {
        guard case .address(let number, let location) = key, let transport = UInt8(exactly: number).flatMap(Transport.init(number:)),
            let scheduler = Scheduler(scheduler)
        else { return nil }
        return VirtualServer(
            .init(transport, location), scheduler: scheduler, flags: .init(rawValue: flags & ~IPVSMessages.hashedFlag), timeout: timeout,
            realServers: destinations.map(\.realServer))
    }
}

extension IPVSDestination {
    var realServer: RealServer {
        RealServer(
            location, weight: weight, forwarding: RealServer.Forwarding(rawValue: forwarding) ?? .masquerade,
            upperThreshold: upperThreshold,
            lowerThreshold: lowerThreshold, connections: connections)
    }
}
