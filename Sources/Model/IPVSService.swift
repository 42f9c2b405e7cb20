/// One virtual server as the kernel reports it, including those of other software. `kube-ipvs-proxy status` shows it.
public struct IPVSService: Hashable, Sendable {
    /// What packets the virtual server matches.
    public enum Key: Hashable, Sendable {
        case address(protocolNumber: UInt16, AddressPort)
        case firewallMark(UInt32, IPFamily)
    }

    public var key: Key
    public var scheduler: String
    /// `IP_VS_SVC_F_*`, including the kernel's own HASHED.
    public var flags: UInt32
    /// Persistence timeout in seconds.
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

    /// The identity in the model; nil for firewall marks and for protocols that a Service cannot have.
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
