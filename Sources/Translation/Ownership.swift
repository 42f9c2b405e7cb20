public import Model

/// Tells a virtual server that a run before this one (ours or kube-proxy's) left from one that somebody else made.
///
/// The kernel remembers it for us: what a node proxy makes has its address on `kube-ipvs0` or is named in one of the sets, and the sets lose their members last.
public struct Ownership: Sendable {
    private let observed: NodeState
    /// Addresses of this node on other interfaces: where node ports answer.
    private let localAddresses: Set<IPAddress>
    /// Ranges whose virtual servers are never taken away (`--ipvs-exclude-cidrs`).
    private let excluded: [CIDR]

    public init(observed: NodeState, localAddresses: Set<IPAddress>, excluded: [CIDR]) {
        self.observed = observed
        self.localAddresses = localAddresses
        self.excluded = excluded
    }

    /// Whether a virtual server that no Service wants may be taken away.
    public func isOurs(_ server: VirtualServer) -> Bool {
        let (location, transport) = (server.identity.location, server.identity.transport)
        if excluded.contains(where: { $0.contains(location.address) }) { return false }
        if observed.addresses[location.address] != nil { return true }
        let member = AddressSet.Member.addressPort(location, transport)
        let sets: [KubeSet] = [.clusterIP, .externalIP, .externalIPLocal, .loadBalancer, .nodePortSCTP]
        if sets.contains(where: { holds($0, member, location.address.family) }) { return true }
        guard localAddresses.contains(location.address) else { return false }
        switch transport {
        case .tcp: return holds(.nodePortTCP, .port(location.port), location.address.family)
        case .udp: return holds(.nodePortUDP, .port(location.port), location.address.family)
        case .sctp: return false
        }
    }

    private func holds(_ set: KubeSet, _ member: AddressSet.Member, _ family: IPFamily) -> Bool {
        observed.sets[set.name(family)]?.members[member] != nil
    }
}
