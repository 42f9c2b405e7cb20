/// Everything this program keeps in a kernel, as one value: desired (from the cluster) or observed (from a dump).
///
/// Printing it is the debug dump; comparing two of them is the plan.
public struct NodeState: Hashable, Sendable {
    public var virtualServers: [VirtualServer.Identity: VirtualServer]
    /// Addresses on `kube-ipvs0`, each with the Service port it stands for where that is known.
    public var addresses: [IPAddress: ServiceOrigin?]
    /// Whether the dummy device `kube-ipvs0` is there.
    public var hasDevice: Bool
    public var sets: [AddressSet.Name: AddressSet]
    public var rules: [IPFamily: Rules]
    /// Of other modes of kube-proxy, where there is something; nobody desires them.
    public var leftovers: [IPFamily: Leftovers] = [:]

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

    /// The dummy device that holds the service addresses; kube-proxy's name, so that either can take over.
    public static let deviceName = "kube-ipvs0"
}
