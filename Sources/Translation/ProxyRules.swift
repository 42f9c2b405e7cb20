internal import Model

/// The iptables rules of one family: which traffic is masqueraded, which passes, which is refused.
///
/// The text depends on which sets have members and on settings, not on how many Services there are, save for one rule for each load balancer that
/// this node itself may not use. It is kube-proxy's, rule by rule and in its order, in the form that `iptables-save` prints; what the set
/// `KUBE-NO-LOCAL-ENDPOINTS` is for is ours, as is how service addresses answer ping and refuse what is not a Service's.
struct ProxyRules: Hashable {
    let family: IPFamily
    let settings: TranslationSettings
    /// How the source of traffic from this node's pods is told apart; nil where that is not known.
    let localTraffic: LocalTraffic.Match?
    /// Sets with at least one member: rules that could never match are left out.
    let filled: Set<KubeSet>
    /// Load balancers that the node itself must not reach: it is in none of their source ranges.
    var closedToNode: Set<VirtualServer.Identity> = []

    private static let services = Rules.Chain(.nat, "KUBE-SERVICES")
    private static let postrouting = Rules.Chain(.nat, "KUBE-POSTROUTING")
    private static let natNodePort = Rules.Chain(.nat, "KUBE-NODE-PORT")
    private static let loadBalancer = Rules.Chain(.nat, "KUBE-LOAD-BALANCER")
    private static let markMasquerade = Rules.Chain(.nat, "KUBE-MARK-MASQ")
    private static let forward = Rules.Chain(.filter, "KUBE-FORWARD")
    private static let filterNodePort = Rules.Chain(.filter, "KUBE-NODE-PORT")
    private static let firewall = Rules.Chain(.filter, "KUBE-PROXY-FIREWALL")
    private static let sourceRanges = Rules.Chain(.filter, "KUBE-SOURCE-RANGES-FIREWALL")
    private static let accessFilter = Rules.Chain(.filter, "KUBE-IPVS-FILTER")
    private static let outFilter = Rules.Chain(.filter, "KUBE-IPVS-OUT-FILTER")

    /// The chains with rules that drop packets, and what for.
    static let dropping: [Rules.Chain: DroppedPackets.Reason] = [
        firewall: .noLocalEndpoints, sourceRanges: .sourceRanges, outFilter: .sourceRanges,
    ]

    /// In the order in which they are put at the top of their chains: the last one of a chain comes to stand first.
    private static let jumps = [
        Rules.Jump(.nat, from: "OUTPUT", to: services.name, comment: "kubernetes service portals"),
        Rules.Jump(.nat, from: "PREROUTING", to: services.name, comment: "kubernetes service portals"),
        Rules.Jump(.nat, from: "POSTROUTING", to: postrouting.name, comment: "kubernetes postrouting rules"),
        Rules.Jump(.filter, from: "FORWARD", to: forward.name, comment: "kubernetes forwarding rules"),
        Rules.Jump(.filter, from: "INPUT", to: filterNodePort.name, comment: "kubernetes health check rules"),
        Rules.Jump(.filter, from: "INPUT", to: firewall.name, comment: "kube-proxy firewall rules"),
        Rules.Jump(.filter, from: "FORWARD", to: firewall.name, comment: "kube-proxy firewall rules"),
        Rules.Jump(.filter, from: "INPUT", to: accessFilter.name, comment: "kubernetes ipvs access filter"),
        Rules.Jump(.filter, from: "OUTPUT", to: outFilter.name, comment: "kubernetes ipvs access filter"),
    ]

    var rules: Rules {
        Rules(
            family,
            chains: [
                ProxyRules.services: servicesRules,
                ProxyRules.postrouting: postroutingRules,
                ProxyRules.natNodePort: natNodePortRules,
                ProxyRules.loadBalancer: loadBalancerRules,
                ProxyRules.markMasquerade: ["-j MARK --set-xmark \(mark)/\(mark)"],
                ProxyRules.forward: [
                    "\(comment("kubernetes forwarding rules")) -m mark --mark \(mark)/\(mark) -j ACCEPT",
                    "\(comment("kubernetes forwarding conntrack rule")) -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
                ],
                ProxyRules.filterNodePort: ["\(commented(.healthCheckNodePort, "dst")) -j ACCEPT"],
                ProxyRules.firewall: firewallRules,
                ProxyRules.sourceRanges: sourceRangesRules,
                ProxyRules.accessFilter: accessFilterRules,
                ProxyRules.outFilter: outFilterRules,
            ],
            jumps: ProxyRules.jumps)
    }

    private var servicesRules: [String] {
        var rules = ["-s \(family == .ipv4 ? "127.0.0.0/8" : "::1/128") -j RETURN"]
        rules += ifFilled(.noLocalEndpoints) { ["\(commented($0, "dst,dst")) -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ"] }
        rules += ifFilled(.loadBalancer) { ["\(commented($0, "dst,dst")) -j \(ProxyRules.loadBalancer.name)"] }
        rules += ifFilled(.clusterIP) { _ in [clusterIPRule] }
        rules += ifFilled(.externalIP) { ["\(commented($0, "dst,dst")) -j KUBE-MARK-MASQ"] + externalIPRules($0) }
        rules += ifFilled(.externalIPLocal) { externalIPRules($0) }
        rules.append("-m addrtype --dst-type LOCAL -j \(ProxyRules.natNodePort.name)")
        for set in [KubeSet.clusterIP, .loadBalancer] { rules += ifFilled(set) { ["\(match($0, "dst,dst")) -j ACCEPT"] } }
        return rules
    }

    /// Which clients of a cluster IP are masqueraded: everyone, everyone but this node's pods, or (where pods cannot be told apart) only the node
    /// itself, whose packets to a cluster IP have that IP as their source.
    private var clusterIPRule: String {
        if settings.masqueradeAll { return "\(commented(.clusterIP, "dst,dst")) -j KUBE-MARK-MASQ" }
        if let localTraffic { return "\(localTraffic.notLocal) \(commented(.clusterIP, "dst,dst")) -j KUBE-MARK-MASQ" }
        return "\(commented(.clusterIP, "src,dst")) -j KUBE-MARK-MASQ"
    }

    /// Traffic to an external IP passes from outside and from the node, not from this node's pods.
    private func externalIPRules(_ set: KubeSet) -> [String] {
        [
            "\(commented(set, "dst,dst")) -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT",
            "\(commented(set, "dst,dst")) -m addrtype --dst-type LOCAL -j ACCEPT",
        ]
    }

    private var postroutingRules: [String] {
        ifFilled(.loopBack) { ["\(commented($0, "dst,dst,src")) -j MASQUERADE"] } + [
            "-m mark ! --mark \(mark)/\(mark) -j RETURN",
            "-j MARK --set-xmark \(mark)/0x0",
            "\(comment("kubernetes service traffic requiring SNAT")) -j MASQUERADE\(settings.hasRandomFully ? " --random-fully" : "")",
        ]
    }

    private var natNodePortRules: [String] {
        let parts: [(Transport, KubeSet, KubeSet, String)] = [
            (.tcp, .nodePortLocalTCP, .nodePortTCP, "dst"), (.udp, .nodePortLocalUDP, .nodePortUDP, "dst"),
            (.sctp, .nodePortLocalSCTP, .nodePortSCTP, "dst,dst"),
        ]
        return parts.flatMap { transport, local, all, direction in
            ifFilled(local) { ["-p \(transport.lowercaseName) \(commented($0, direction)) -j RETURN"] }
                + ifFilled(all) { ["-p \(transport.lowercaseName) \(commented($0, direction)) -j KUBE-MARK-MASQ"] }
        }
    }

    private var loadBalancerRules: [String] {
        ifFilled(.loadBalancerLocal) { ["\(commented($0, "dst,dst")) -j RETURN"] } + ["-j KUBE-MARK-MASQ"]
    }

    /// Where `externalTrafficPolicy: Local` finds no endpoint here, the virtual server has those of the cluster, for this node and its pods: clients
    /// from outside are kept from them, and the node's own packets, which have the service address as their source, are masqueraded
    /// (`servicesRules`).
    ///
    /// TCP connections to an endpoint that was here and still drains go on; IPVS schedules nothing but SYN anew. Others it would send elsewhere.
    private var firewallRules: [String] {
        let outside = localTraffic.map { $0.notLocal + " " } ?? ""
        return ifFilled(.loadBalancerFirewall) { ["\(commented($0, "dst,dst")) -j \(ProxyRules.sourceRanges.name)"] }
            + ifFilled(.noLocalEndpoints) {
                let clients = "\(commented($0, "dst,dst")) -m addrtype ! --src-type LOCAL"
                return ["\(outside)-p tcp \(clients) -m conntrack --ctstate NEW -j DROP", "\(outside)! -p tcp \(clients) -j DROP"]
            }
    }

    /// Packets of the node itself never pass INPUT: IPVS takes them on their way out.
    private var outFilterRules: [String] {
        closedToNode.sorted().map { server in
            let (address, port) = (server.location.address, server.location.port)
            return "-s \(CIDR(host: address)) -m ipvs --vproto \(server.transport.number) --vaddr \(address) --vport \(port) -j DROP"
        }
    }

    private var sourceRangesRules: [String] {
        [KubeSet.loadBalancerSourceCIDR, .loadBalancerSourceIP].flatMap { ifFilled($0) { ["\(commented($0, "dst,dst,src")) -j RETURN"] } }
            + ["-j DROP"]
    }

    /// A service address is a local address, so that whatever listens on all addresses of the host would answer on it: only what is a
    /// Service's passes, and ping.
    private var accessFilterRules: [String] {
        let passing: [(KubeSet, String)] = [
            (.loadBalancer, "dst,dst"), (.clusterIP, "dst,dst"), (.externalIP, "dst,dst"), (.externalIPLocal, "dst,dst"),
            (.healthCheckNodePort, "dst"),
        ]
        return passing.map { "\(match($0, $1)) -j RETURN" } + echoRules + refusingRules
    }

    /// An echo request meets nothing of the host's but the kernel, which answers. Other queries of ICMP are refused as all else is; what is no
    /// query, be it an error about a flow of a Service or neighbour discovery, is never NEW.
    private var echoRules: [String] {
        let type = family == .ipv4 ? "-p icmp -m icmp --icmp-type 8" : "-p ipv6-icmp -m icmp6 --icmpv6-type 128"
        return ["\(type) \(match(.ipvsIPs, "dst")) -j RETURN"]
    }

    /// Each protocol is refused with what ends an attempt at once (RFC 9293 3.10.7.1, RFC 1122 4.1.3.1, RFC 9260 10 ICMP8). The last rule is kube-proxy's.
    ///
    /// SCTP takes "protocol unreachable" for an abort, and goes on trying after "port unreachable". IPv6 would say the former by a Parameter Problem,
    /// which REJECT cannot send.
    private var refusingRules: [String] {
        let (other, sctp) = family == .ipv4 ? ("icmp-port-unreachable", "icmp-proto-unreachable") : ("icmp6-port-unreachable", nil)
        let refused = "-m conntrack --ctstate NEW \(match(.ipvsIPs, "dst")) -j REJECT --reject-with"
        return ["-p tcp \(refused) tcp-reset"] + (sctp.map { ["-p sctp \(refused) \($0)"] } ?? []) + ["\(refused) \(other)"]
    }

    // MARK: Words

    private var mark: String { "0x" + String(UInt32(1) << UInt32(settings.masqueradeBit), radix: 16) }

    private func comment(_ text: String) -> String { "-m comment --comment \"\(text)\"" }

    private func match(_ set: KubeSet, _ directions: String) -> String { "-m set --match-set \(set.name(family)) \(directions)" }

    private func commented(_ set: KubeSet, _ directions: String) -> String { "\(comment(set.comment)) \(match(set, directions))" }

    private func ifFilled(_ set: KubeSet, _ rules: (KubeSet) -> [String]) -> [String] { filled.contains(set) ? rules(set) : [] }
}
