/// The part of a NodeState that a plan compares or an observation reads.
public enum Scope: Hashable, Sendable {
    case everything
    case only(Selection)

    /// Keys whose values may have changed.
    public struct Selection: Hashable, Sendable {
        /// Whether `kube-ipvs0` exists and is up, and all its addresses and routes.
        public var device: Bool
        /// All virtual servers, without their real servers.
        public var headers: Bool
        /// These virtual servers with their real servers.
        public var virtualServers: Set<VirtualServer.Identity>
        /// Only the real servers of these virtual servers.
        public var realServers: Set<VirtualServer.Identity>
        /// Service addresses, bound or routed.
        public var addresses: Set<IPAddress>
        public var members: [AddressSet.Name: Set<AddressSet.Member>]
        public var rules: Set<IPFamily>
        /// Virtual servers whose UDP conntrack entries are to be flushed. This is never observed, only planned.
        public var flows: Set<VirtualServer.Identity>

        public init(
            device: Bool = false, headers: Bool = false, virtualServers: Set<VirtualServer.Identity> = [],
            realServers: Set<VirtualServer.Identity> = [], addresses: Set<IPAddress> = [],
            members: [AddressSet.Name: Set<AddressSet.Member>] = [:], rules: Set<IPFamily> = [], flows: Set<VirtualServer.Identity> = []
        ) {
            self.device = device
            self.headers = headers
            self.virtualServers = virtualServers
            self.realServers = realServers
            self.addresses = addresses
            self.members = members
            self.rules = rules
            self.flows = flows
        }

        public var isEmpty: Bool {
            !device && !headers && virtualServers.isEmpty && realServers.isEmpty && addresses.isEmpty && rules.isEmpty && members.isEmpty
                && flows.isEmpty
        }

        public mutating func formUnion(_ other: Selection) {
            device = device || other.device
            headers = headers || other.headers
            virtualServers.formUnion(other.virtualServers)
            realServers.formUnion(other.realServers)
            addresses.formUnion(other.addresses)
            // In place: a merge that returns a union copies the set, for each of thousands of members that are added one at a time.
            for (name, added) in other.members { members[name, default: []].formUnion(added) }
            rules.formUnion(other.rules)
            flows.formUnion(other.flows)
        }

        /// Removes what an observation of `other` covers: a set is always observed completely.
        public mutating func subtract(_ other: Selection) {
            if other.device { (device, addresses) = (false, []) }
            if other.headers { headers = false }
            virtualServers.subtract(other.virtualServers)
            realServers.subtract(other.realServers)
            realServers.subtract(other.virtualServers)
            addresses.subtract(other.addresses)
            for name in other.members.keys { members[name] = nil }
            rules.subtract(other.rules)
            flows.subtract(other.flows)
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
            // Releases the second reference to the value; otherwise each set would be copied.
            self = .nothing
            mine.formUnion(theirs)
            self = .only(mine)
        }
    }
}
