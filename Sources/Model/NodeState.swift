/// Everything this program manages in a kernel, as one value: desired (from the cluster) or observed (from a dump).
///
/// Printing it gives the debug dump; comparing two of them gives the plan.
public struct NodeState: Hashable, Sendable {
    public var virtualServers: [VirtualServer.Identity: VirtualServer]
    /// Addresses on `kube-ipvs0`, each with the Service port it belongs to, nil if unknown.
    public var addresses: [IPAddress: ServiceOrigin?]
    /// Our routes in the table `local`, by destination.
    public var routes: [IPAddress: LocalRoute] = [:]
    /// Whether the dummy device `kube-ipvs0` exists.
    public var hasDevice: Bool
    /// Whether `kube-ipvs0` is up. IPv6 routes require it; nothing else does.
    public var isDeviceUp = false
    public var sets: [AddressSet.Name: AddressSet]
    public var rules: [IPFamily: Rules]
    /// Leftover rules of other proxy modes, for families that have any; always empty in the desired state.
    public var leftovers: [IPFamily: Leftovers] = [:]
    /// Rules of node proxies in backends that this program does not use; always empty in the desired state.
    public var rulesInOtherBackends: [BackendRules] = []

    public init(
        virtualServers: [VirtualServer] = [], addresses: [IPAddress: ServiceOrigin?] = [:], hasDevice: Bool = false,
        sets: [AddressSet] = [],
        rules: [Rules] = []
    ) {
        self.virtualServers = Dictionary(virtualServers.map { ($0.identity, $0) }, uniquingKeysWith: { first, _ in first })
        self.addresses = addresses
        self.hasDevice = hasDevice
        self.sets = Dictionary(sets.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.rules = Dictionary(rules.map { ($0.family, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The Service port that a service address belongs to, whether it is bound or routed; nil if unknown.
    public func origin(of address: IPAddress) -> ServiceOrigin? { (addresses[address] ?? nil) ?? routes[address]?.origin }

    /// The service addresses of a family, bound or routed.
    public func serviceAddresses(_ family: IPFamily) -> [IPAddress] {
        routes.keys.filter { $0.family == family } + addresses.keys.filter { $0.family == family && $0 != LocalRoute.anchor }
    }

    /// Whether a service address is bound or routed.
    public func accepts(_ address: IPAddress) -> Bool {
        routes[address] != nil || addresses[address] != nil && address != LocalRoute.anchor
    }

    /// The number of bound service addresses.
    public var boundAddressCount: Int { addresses.count - (addresses[LocalRoute.anchor] == nil ? 0 : 1) }

    /// The dummy device that holds the service addresses; kube-proxy's name, so that each proxy can adopt the other's state.
    public static let deviceName = "kube-ipvs0"
}
