/// An IPVS virtual server, which distributes connections to an address and port over real servers.
public struct VirtualServer: Hashable, Sendable {
    /// The unique key of a virtual server in the kernel.
    public struct Identity: Hashable, Sendable, Comparable, CustomStringConvertible {
        public var location: AddressPort
        public var transport: Transport

        public init(_ transport: Transport, _ location: AddressPort) {
            self.transport = transport
            self.location = location
        }

        public var family: IPFamily { location.address.family }

        public func hash(into hasher: inout Hasher) { location.hash(with: transport.number, into: &hasher) }

        /// `10.96.0.1:80/TCP`.
        public var description: String { "\(location)/\(transport.rawValue)" }

        /// As ipvsadm names it: `-t 10.96.0.1:80`.
        public var ipvsadmArguments: String { "\(transport.ipvsadmFlag) \(location)" }

        public static func < (lhs: Identity, rhs: Identity) -> Bool {
            lhs.location == rhs.location ? lhs.transport < rhs.transport : lhs.location < rhs.location
        }
    }

    /// Flags of a virtual server (`IP_VS_SVC_F_*`, `linux/ip_vs.h`), without the kernel's own HASHED.
    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }

        /// A client keeps its real server for `timeout` seconds.
        public static let persistent = Flags(rawValue: 0x1)
        /// Each UDP datagram is scheduled independently.
        public static let onePacket = Flags(rawValue: 0x4)
        /// sh and mh: a client whose server is unavailable gets another one (`IP_VS_SVC_F_SCHED1`).
        public static let hashFallback = Flags(rawValue: 0x8)
        /// sh and mh: the source port is part of the hash (`IP_VS_SVC_F_SCHED2`).
        public static let hashPort = Flags(rawValue: 0x10)
        /// Reserved for schedulers (`IP_VS_SVC_F_SCHED3`).
        public static let schedulerFlag3 = Flags(rawValue: 0x20)

        /// ipvsadm's names of the flags for a scheduler: `sh-fallback`, `mh-port`.
        public func schedulerFlagNames(_ scheduler: String) -> [String] {
            let isNamed = scheduler == "sh" || scheduler == "mh"
            let names: [(Flags, String)] = [
                (.hashFallback, isNamed ? "\(scheduler)-fallback" : "flag-1"), (.hashPort, isNamed ? "\(scheduler)-port" : "flag-2"),
                (.schedulerFlag3, "flag-3"),
            ]
            return names.filter { contains($0.0) }.map(\.1)
        }
    }

    public var identity: Identity
    // Beside the small fields of `identity`, as there are tens of thousands of virtual servers.
    /// Clients whose addresses have this many leading bits in common keep the same real server; all bits unless `.persistent`.
    public var affinityPrefix: UInt8
    public var flags: Flags
    /// Persistence timeout in seconds; 0 unless `.persistent`.
    public var timeout: UInt32
    public var scheduler: Scheduler
    public var realServers: RealServers
    /// The Service port it belongs to; nil for one that was found in the kernel and not created by this process.
    public var origin: ServiceOrigin?
    private var rare = RareValues<Rare>()

    /// The values that few virtual servers have.
    private struct Rare: DefaultValues {
        var drainTimeout: Duration?
        var slowStart: Duration?
    }

    /// How long its real servers may drain; nil for the default. Known on the desired side only.
    public var drainTimeout: Duration? {
        get { rare.values.drainTimeout }
        set { rare.values.drainTimeout = newValue }
    }

    /// How long the weight of a new real server takes to rise to its full value; nil for no slow start. Known on the desired side only.
    public var slowStart: Duration? {
        get { rare.values.slowStart }
        set { rare.values.slowStart = newValue }
    }

    /// - Parameter affinityPrefix: nil for all bits.
    public init(
        _ identity: Identity, scheduler: Scheduler = .roundRobin, flags: Flags = [], timeout: UInt32 = 0, affinityPrefix: UInt8? = nil,
        realServers: [RealServer] = [], origin: ServiceOrigin? = nil, drainTimeout: Duration? = nil, slowStart: Duration? = nil
    ) {
        self.identity = identity
        self.scheduler = scheduler
        self.flags = flags
        self.timeout = timeout
        self.affinityPrefix = affinityPrefix ?? UInt8(identity.family.addressBits)
        self.realServers = RealServers(realServers)
        self.origin = origin
        rare.values = Rare(drainTimeout: drainTimeout, slowStart: slowStart)
    }

    /// Whether the kernel would schedule the same for both; real servers are compared separately.
    public func hasSameConfiguration(as other: VirtualServer) -> Bool {
        identity == other.identity && scheduler == other.scheduler && flags == other.flags && timeout == other.timeout
            && affinityPrefix == other.affinityPrefix
    }
}
