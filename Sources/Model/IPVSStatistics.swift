/// Counters and rates (`IPVS_STATS_ATTR_*`, `linux/ip_vs.h`): packets and bytes since the counters were last zeroed, rates per second.
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

/// The reply to `IPVS_CMD_GET_INFO`.
public struct IPVSInfo: Hashable, Sendable {
    /// One byte per number: 0x010201 is 1.2.1.
    public var version: UInt32
    /// Number of buckets of the connection table.
    public var connectionTableSize: UInt32

    public init(version: UInt32, connectionTableSize: UInt32) {
        self.version = version
        self.connectionTableSize = connectionTableSize
    }

    public var versionText: String { "\(version >> 16 & 0xff).\(version >> 8 & 0xff).\(version & 0xff)" }
}
