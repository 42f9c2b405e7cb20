/// A server behind a virtual server; ipvsadm's "real server", the kernel's "destination".
public struct RealServer: Hashable, Sendable {
    /// How packets reach it (`IP_VS_CONN_F_*`, `linux/ip_vs.h`).
    public enum Forwarding: UInt32, Hashable, Sendable {
        case masquerade = 0
        case localNode = 1
        case tunnel = 2
        case directRoute = 3
        case bypass = 4
    }

    /// Connections of a real server, as the kernel counts them.
    public struct Connections: Hashable, Sendable {
        public var active: UInt32
        public var inactive: UInt32
        public var persistent: UInt32

        public init(active: UInt32, inactive: UInt32, persistent: UInt32 = 0) {
            self.active = active
            self.inactive = inactive
            self.persistent = persistent
        }

        /// Whether removing the server would break no connection; persistence templates do not count.
        public var isIdle: Bool { active == 0 && inactive == 0 }
    }

    public var location: AddressPort
    /// 0 takes no new connections; at most `Int32.max`.
    public var weight: UInt32
    private var rare = RareValues<Rare>()
    /// Known on the desired side, and on the observed side for servers that this process added.
    public var origin: EndpointOrigin?

    /// The values that few real servers have.
    private struct Rare: DefaultValues {
        var forwarding = Forwarding.masquerade
        var upperThreshold: UInt32 = 0
        var lowerThreshold: UInt32 = 0
        var connections: Connections?
        var drainingSince: Timestamp?
        var slowStartSince: Timestamp?
    }

    public init(
        _ location: AddressPort, weight: UInt32 = 1, forwarding: Forwarding = .masquerade, upperThreshold: UInt32 = 0,
        lowerThreshold: UInt32 = 0, connections: Connections? = nil, drainingSince: Timestamp? = nil, slowStartSince: Timestamp? = nil,
        origin: EndpointOrigin? = nil
    ) {
        self.location = location
        self.weight = weight
        self.origin = origin
        rare.values = Rare(
            forwarding: forwarding, upperThreshold: upperThreshold, lowerThreshold: lowerThreshold, connections: connections,
            drainingSince: drainingSince, slowStartSince: slowStartSince)
    }

    public var forwarding: Forwarding {
        get { rare.values.forwarding }
        set { rare.values.forwarding = newValue }
    }

    /// Connections above which the server takes no new ones; 0 is no limit.
    public var upperThreshold: UInt32 {
        get { rare.values.upperThreshold }
        set { rare.values.upperThreshold = newValue }
    }

    public var lowerThreshold: UInt32 {
        get { rare.values.lowerThreshold }
        set { rare.values.lowerThreshold = newValue }
    }

    /// Known on the observed side only, and reset when the server starts to drain; nil means that they must be read from the kernel.
    public var connections: Connections? {
        get { rare.values.connections }
        set { rare.values.connections = newValue }
    }

    /// When it was first observed draining, by the clock of this process; nil on the desired side and for servers that do not drain.
    public var drainingSince: Timestamp? {
        get { rare.values.drainingSince }
        set { rare.values.drainingSince = newValue }
    }

    /// When its slow start began, by the clock of this process; nil on the desired side and for servers that have their full weight.
    public var slowStartSince: Timestamp? {
        get { rare.values.slowStartSince }
        set { rare.values.slowStartSince = newValue }
    }

    /// Whether the kernel would forward the same for both: compares everything except counters, times and origin.
    public func hasSameConfiguration(as other: RealServer) -> Bool {
        guard location == other.location, weight == other.weight else { return false }
        if rare.areDefaults, other.rare.areDefaults { return true }
        let (mine, others) = (rare.values, other.rare.values)
        return mine.forwarding == others.forwarding && mine.upperThreshold == others.upperThreshold
            && mine.lowerThreshold == others.lowerThreshold
    }
}
