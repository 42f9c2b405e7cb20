public import Model

/// The ipsets of a node proxy in ipvs mode, by kube-proxy's names, so that either finds what the other left.
///
/// One is ours alone: `KUBE-NO-LOCAL-ENDPOINTS`. kube-proxy leaves a set that it does not know alone, and flushes the rules that read it.
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

    /// IPv6 sets put `KUBE-6-` in front; the kernel's limit of 31 bytes cuts the longest.
    public func name(_ family: IPFamily) -> AddressSet.Name { KubeSet.names[family]?[self] ?? makeName(family) }

    /// Made once: names are asked for with every member of a set.
    private static let names = Dictionary(
        uniqueKeysWithValues: IPFamily.allCases.map { family in
            (family, Dictionary(uniqueKeysWithValues: allCases.map { ($0, $0.makeName(family)) }))
        })

    private func makeName(_ family: IPFamily) -> AddressSet.Name {
        family == .ipv4 ? AddressSet.Name(rawValue) : AddressSet.Name("KUBE-6-" + rawValue.dropFirst("KUBE-".count))
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

    /// What the comment of a rule says that matches the set.
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
        case .nodePortSCTP: "Kubernetes nodeport SCTP port for masquerade purpose with type \\'hash ip:port\\'"
        case .nodePortLocalSCTP: "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type \\'hash ip:port\\'"
        case .healthCheckNodePort: "Kubernetes health check node port"
        case .ipvsIPs: "Addresses on the ipvs interface"
        case .noLocalEndpoints: "Kubernetes service ip + port with externalTrafficPolicy=local without local endpoints"
        }
    }

    func empty(_ family: IPFamily) -> AddressSet { AddressSet(name(family), kind: kind, family: family) }
}
