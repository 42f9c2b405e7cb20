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

/// The part of a NodeState that a plan or an observation looks at.
public enum Scope: Hashable, Sendable {
    case everything
    case only(Selection)

    /// Keys whose values may have changed.
    public struct Selection: Hashable, Sendable {
        /// Everything but real servers: which virtual servers there are and how they are set, all addresses, sets and rules.
        public var frame: Bool
        /// With their real servers.
        public var virtualServers: Set<VirtualServer.Identity>
        /// Only the real servers of these.
        public var realServers: Set<VirtualServer.Identity>
        public var addresses: Set<IPAddress>
        public var members: [AddressSet.Name: Set<AddressSet.Member>]
        public var rules: Set<IPFamily>

        public init(
            frame: Bool = false, virtualServers: Set<VirtualServer.Identity> = [], realServers: Set<VirtualServer.Identity> = [],
            addresses: Set<IPAddress> = [], members: [AddressSet.Name: Set<AddressSet.Member>] = [:], rules: Set<IPFamily> = []
        ) {
            self.frame = frame
            self.virtualServers = virtualServers
            self.realServers = realServers
            self.addresses = addresses
            self.members = members
            self.rules = rules
        }

        public var isEmpty: Bool {
            !frame && virtualServers.isEmpty && realServers.isEmpty && addresses.isEmpty && rules.isEmpty && members.isEmpty
        }

        public mutating func formUnion(_ other: Selection) {
            frame = frame || other.frame
            virtualServers.formUnion(other.virtualServers)
            realServers.formUnion(other.realServers)
            addresses.formUnion(other.addresses)
            members.merge(other.members) { $0.union($1) }
            rules.formUnion(other.rules)
        }
    }

    public static let nothing = Scope.only(Selection())

    public var isEmpty: Bool {
        switch self {
        case .everything: false
        case .only(let selection): selection.isEmpty
        }
    }

    public mutating func formUnion(_ other: Scope) {
        switch (self, other) {
        case (.everything, _): break
        case (_, .everything): self = .everything
        case (.only(var mine), .only(let theirs)):
            mine.formUnion(theirs)
            self = .only(mine)
        }
    }
}
