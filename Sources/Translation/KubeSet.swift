public import Model

/// The sets of a node proxy in IPVS mode, with the names of kube-proxy's ipsets, so that each proxy finds the sets that the other left.
///
/// Only `KUBE-NO-LOCAL-ENDPOINTS` is not one of kube-proxy's. kube-proxy keeps unknown sets and flushes the rules that match them.
public enum KubeSet: String, Hashable, Sendable, CaseIterable {
    case loopBack = "KUBE-LOOP-BACK"
    case clusterIP = "KUBE-CLUSTER-IP"
    case externalIP = "KUBE-EXTERNAL-IP"
    case externalIPLocal = "KUBE-EXTERNAL-IP-LOCAL"
    case loadBalancer = "KUBE-LOAD-BALANCER"
    case loadBalancerLocal = "KUBE-LOAD-BALANCER-LOCAL"
    case loadBalancerFirewall = "KUBE-LOAD-BALANCER-FW"
    case loadBalancerSourceIP = "KUBE-LOAD-BALANCER-SOURCE-IP"
    case loadBalancerSourceCIDR = "KUBE-LOAD-BALANCER-SOURCE-CIDR"
    case nodePortTCP = "KUBE-NODE-PORT-TCP"
    case nodePortLocalTCP = "KUBE-NODE-PORT-LOCAL-TCP"
    case nodePortUDP = "KUBE-NODE-PORT-UDP"
    case nodePortLocalUDP = "KUBE-NODE-PORT-LOCAL-UDP"
    case nodePortSCTP = "KUBE-NODE-PORT-SCTP-HASH"
    case nodePortLocalSCTP = "KUBE-NODE-PORT-LOCAL-SCTP-HASH"
    case healthCheckNodePort = "KUBE-HEALTH-CHECK-NODE-PORT"
    case ipvsIPs = "KUBE-IPVS-IPS"
    case noLocalEndpoints = "KUBE-NO-LOCAL-ENDPOINTS"

    /// Returns the set's name in a family. IPv6 sets start with `KUBE-6-`; names are cut to the kernel's limit of 31 bytes.
    public func name(_ family: IPFamily, in filter: PacketFilterKind = .iptables) -> AddressSet.Name {
        let names =
            switch (filter, family) {
            case (.iptables, .ipv4): KubeSet.ipsets
            case (.iptables, .ipv6): KubeSet.ipsets6
            case (.nftables, .ipv4): KubeSet.tableSets
            case (.nftables, .ipv6): KubeSet.tableSets6
            }
        return names[self] ?? makeName(family, filter)
    }

    // Computed once, because a name is looked up for every set member.
    private static let ipsets = names(.ipv4, .iptables)
    private static let ipsets6 = names(.ipv6, .iptables)
    private static let tableSets = names(.ipv4, .nftables)
    private static let tableSets6 = names(.ipv6, .nftables)

    private static func names(_ family: IPFamily, _ filter: PacketFilterKind) -> [KubeSet: AddressSet.Name] {
        Dictionary(uniqueKeysWithValues: allCases.map { ($0, $0.makeName(family, filter)) })
    }

    // A name is looked up for every set member: hashing its length costs less than hashing the text, and most lengths differ.
    public func hash(into hasher: inout Hasher) { hasher.combine(rawValue.utf8.count) }

    private func makeName(_ family: IPFamily, _ filter: PacketFilterKind) -> AddressSet.Name {
        AddressSet.Name(
            family == .ipv4 ? rawValue : "KUBE-6-" + rawValue.dropFirst("KUBE-".count),
            in: filter == .iptables ? .ipset : .table(family))
    }

    public var kind: AddressSetType {
        switch self {
        case .loopBack, .loadBalancerSourceIP: .hashIPPortIP
        case .loadBalancerSourceCIDR: .hashIPPortNet
        case .ipvsIPs: .hashIP
        case .nodePortTCP, .nodePortLocalTCP, .nodePortUDP, .nodePortLocalUDP, .healthCheckNodePort: .bitmapPort
        case .clusterIP, .externalIP, .externalIPLocal, .loadBalancer, .loadBalancerLocal, .loadBalancerFirewall, .nodePortSCTP,
            .nodePortLocalSCTP, .noLocalEndpoints:
            .hashIPPort
        }
    }

    /// The comment of rules that match the set.
    var comment: String {
        switch self {
        case .loopBack: "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose"
        case .clusterIP: "Kubernetes service cluster ip + port for masquerade purpose"
        case .externalIP: "Kubernetes service external ip + port for masquerade and filter purpose"
        case .externalIPLocal: "Kubernetes service external ip + port with externalTrafficPolicy=local"
        case .loadBalancer: "Kubernetes service lb portal"
        case .loadBalancerLocal: "Kubernetes service load balancer ip + port with externalTrafficPolicy=local"
        case .loadBalancerFirewall: "Kubernetes service load balancer ip + port for load balancer with sourceRange"
        case .loadBalancerSourceIP: "Kubernetes service load balancer ip + port + source IP for packet filter purpose"
        case .loadBalancerSourceCIDR: "Kubernetes service load balancer ip + port + source cidr for packet filter purpose"
        case .nodePortTCP: "Kubernetes nodeport TCP port for masquerade purpose"
        case .nodePortLocalTCP: "Kubernetes nodeport TCP port with externalTrafficPolicy=local"
        case .nodePortUDP: "Kubernetes nodeport UDP port for masquerade purpose"
        case .nodePortLocalUDP: "Kubernetes nodeport UDP port with externalTrafficPolicy=local"
        case .nodePortSCTP: "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'"
        case .nodePortLocalSCTP: "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'"
        case .healthCheckNodePort: "Kubernetes health check node port"
        case .ipvsIPs: "Addresses on the ipvs interface"
        case .noLocalEndpoints: "Kubernetes service ip + port with externalTrafficPolicy=local without local endpoints"
        }
    }

    func empty(_ family: IPFamily, in filter: PacketFilterKind = .iptables) -> AddressSet {
        AddressSet(
            name(family, in: filter), kind: kind, family: family,
            capacity: filter == .iptables ? AddressSet.defaultCapacity : AddressSet.unlimited)
    }
}
