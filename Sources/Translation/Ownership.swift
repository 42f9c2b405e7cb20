public import Model

/// Distinguishes virtual servers left by an earlier run (of this program or kube-proxy) from those of other software.
///
/// The kernel state shows it: a virtual server of a node proxy has its address on `kube-ipvs0`, a route to it, or a member in one of the
/// sets, and set members are removed last.
public struct Ownership: Sendable {
    private let observed: NodeState
    /// Addresses of this node on other interfaces, on which node ports are served.
    private let localAddresses: Set<IPAddress>
    /// Ranges whose virtual servers are never removed (`--ipvs-exclude-cidrs`).
    private let excluded: [CIDR]

    public init(observed: NodeState, localAddresses: Set<IPAddress>, excluded: [CIDR]) {
        self.observed = observed
        self.localAddresses = localAddresses
        self.excluded = excluded
    }

    /// Whether a virtual server that no Service needs may be removed.
    public func isOurs(_ server: VirtualServer) -> Bool {
        let (location, transport) = (server.identity.location, server.identity.transport)
        if excluded.contains(where: { $0.contains(location.address) }) { return false }
        if observed.accepts(location.address) { return true }
        let member = AddressSet.Member.addressPort(location, transport)
        let sets: [KubeSet] = [.clusterIP, .externalIP, .externalIPLocal, .loadBalancer, .nodePortSCTP]
        if sets.contains(where: { hasMember($0, member, location.address.family) }) { return true }
        guard localAddresses.contains(location.address) else { return false }
        switch transport {
        case .tcp: return hasMember(.nodePortTCP, .port(location.port), location.address.family)
        case .udp: return hasMember(.nodePortUDP, .port(location.port), location.address.family)
        case .sctp: return false
        }
    }

    private func hasMember(_ set: KubeSet, _ member: AddressSet.Member, _ family: IPFamily) -> Bool {
        PacketFilterKind.allCases.contains { observed.sets[set.name(family, in: $0)]?.members[member] != nil }
    }
}
