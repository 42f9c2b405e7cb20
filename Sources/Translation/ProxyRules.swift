internal import Model

/// The packet filter rules of one family, which decide what traffic is masqueraded, accepted and rejected.
///
/// They depend on which sets have members and on settings, not on the number of Services, except for one rule for each load balancer that
/// this node itself may not use. They are kube-proxy's rules in kube-proxy's order. Rules of this program are those for the set
/// `KUBE-NO-LOCAL-ENDPOINTS`, and those by which service addresses answer ping and reject traffic to ports that belong to no Service.
struct ProxyRules: Hashable {
    let family: IPFamily
    let settings: TranslationSettings
    /// How traffic from this node's pods is detected; nil if it cannot be.
    let localTraffic: LocalTraffic.Match?
    /// Sets with at least one member. Rules for empty sets, which could never match, are left out.
    let nonEmptySets: Set<KubeSet>
    /// Load balancers that the node itself must not reach, because it is in none of their source ranges.
    var closedToNode: Set<VirtualServer.Identity> = []
    /// Whether service addresses are routes. Then the node's own packets to a service address have an address of the node as their source,
    /// otherwise the service address. The rules for the latter stay: while the kind changes, packets may have either, and rules that are
    /// only to be removed stay until all addresses have changed.
    var hasRoutes = false

    private static let services = Rules.Chain(.nat, "KUBE-SERVICES")
    private static let postrouting = Rules.Chain(.nat, "KUBE-POSTROUTING")
    private static let natNodePort = Rules.Chain(.nat, "KUBE-NODE-PORT")
    private static let loadBalancer = Rules.Chain(.nat, "KUBE-LOAD-BALANCER")
    private static let markMasquerade = Rules.Chain(.nat, "KUBE-MARK-MASQ")
    private static let forward = Rules.Chain(.filter, "KUBE-FORWARD")
    private static let filterNodePort = Rules.Chain(.filter, "KUBE-NODE-PORT")
    static let firewall = Rules.Chain(.filter, "KUBE-PROXY-FIREWALL")
    static let sourceRanges = Rules.Chain(.filter, "KUBE-SOURCE-RANGES-FIREWALL")
    private static let accessFilter = Rules.Chain(.filter, "KUBE-IPVS-FILTER")
    static let outFilter = Rules.Chain(.filter, "KUBE-IPVS-OUT-FILTER")

    /// In the order of insertion at the top of their chains: the last one inserted into a chain is its first rule.
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
            family, in: settings.packetFilter,
            chains: [
                ProxyRules.services: servicesRules,
                ProxyRules.postrouting: postroutingRules,
                ProxyRules.natNodePort: natNodePortRules,
                ProxyRules.loadBalancer: loadBalancerRules,
                ProxyRules.markMasquerade: [Rule([], .setMark(mark))],
                ProxyRules.forward: [
                    Rule([.mark(mark)], .accept, comment: "kubernetes forwarding rules"),
                    Rule([.connection([.related, .established])], .accept, comment: "kubernetes forwarding conntrack rule"),
                ],
                ProxyRules.filterNodePort: [
                    Rule(healthCheck, .accept, comment: KubeSet.healthCheckNodePort.comment)
                ],
                ProxyRules.firewall: firewallRules,
                ProxyRules.sourceRanges: sourceRangesRules,
                ProxyRules.accessFilter: accessFilterRules,
                ProxyRules.outFilter: outFilterRules,
            ],
            jumps: ProxyRules.jumps)
    }

    private var servicesRules: [Rule] {
        var rules = [Rule([.source(.loopback(family))], .return)]
        rules += ifNonEmpty(.noLocalEndpoints) { [rule($0, addressAndPort, markMasquerade, and: .isLocal(.source))] }
        rules += ifNonEmpty(.loadBalancer) { [rule($0, addressAndPort, .jump(ProxyRules.loadBalancer.name))] }
        rules += ifNonEmpty(.clusterIP) { _ in clusterIPRules }
        rules += ifNonEmpty(.externalIP) { [rule($0, addressAndPort, markMasquerade)] + externalIPRules($0) }
        rules += ifNonEmpty(.externalIPLocal) { externalIPRules($0) }
        rules.append(Rule([.isLocal(.destination)], .jump(ProxyRules.natNodePort.name)))
        for set in [KubeSet.clusterIP, .loadBalancer] { rules += ifNonEmpty(set) { [Rule([match($0, addressAndPort)], .accept)] } }
        return rules
    }

    /// Masquerades all clients of a cluster IP, all except this node's pods, or (if local traffic cannot be detected) only the node itself.
    private var clusterIPRules: [Rule] {
        if settings.masqueradeAll { return [rule(.clusterIP, addressAndPort, markMasquerade)] }
        if let localTraffic { return [rule(.clusterIP, addressAndPort, markMasquerade, and: localTraffic.notLocal)] }
        return [rule(.clusterIP, [.source, .destination], markMasquerade)]
            + (hasRoutes ? [rule(.clusterIP, addressAndPort, markMasquerade, and: .isLocal(.source))] : [])
    }

    /// Ends traversal for clients outside of the node (first rule), and for all packets to an external IP that is a local address (second rule).
    ///
    /// nf_tables cannot match the port of a bridge at these hooks. The second rule accepts the packets as well: external IPs are local addresses.
    private func externalIPRules(_ set: KubeSet) -> [Rule] {
        let outside = rule(set, addressAndPort, .accept, and: .bridgePort(isNegated: true), .isLocal(.source, isNegated: true))
        let local = rule(set, addressAndPort, .accept, and: .isLocal(.destination))
        return settings.packetFilter == .iptables ? [outside, local] : [local]
    }

    private var postroutingRules: [Rule] {
        ifNonEmpty(.loopBack) { [rule($0, [.destination, .destination, .source], .masquerade(isFullyRandom: false))] } + [
            Rule([.mark(mark, isNegated: true)], .return),
            Rule([], .invertMark(mark)),
            Rule([], .masquerade(isFullyRandom: settings.hasRandomFully), comment: "kubernetes service traffic requiring SNAT"),
        ]
    }

    private var natNodePortRules: [Rule] {
        let parts: [(Transport, KubeSet, KubeSet, [Rule.Side])] = [
            (.tcp, .nodePortLocalTCP, .nodePortTCP, [.destination]), (.udp, .nodePortLocalUDP, .nodePortUDP, [.destination]),
            (.sctp, .nodePortLocalSCTP, .nodePortSCTP, addressAndPort),
        ]
        return parts.flatMap { transport, local, all, sides in
            ifNonEmpty(local) { [rule($0, sides, .return, and: .transport(transport))] }
                + ifNonEmpty(all) { [rule($0, sides, markMasquerade, and: .transport(transport))] }
        }
    }

    private var loadBalancerRules: [Rule] {
        ifNonEmpty(.loadBalancerLocal) { [rule($0, addressAndPort, .return)] } + [Rule([], markMasquerade)]
    }

    /// If `externalTrafficPolicy` is Local and this node has no endpoint, the virtual server has the endpoints of the cluster, for this
    /// node and its pods. Packets from outside clients are dropped, and the node's own packets, which have the service address as their
    /// source, are masqueraded (`servicesRules`).
    ///
    /// Established TCP connections to a local endpoint that drains continue, because IPVS schedules TCP only on SYN. All packets of other
    /// protocols are dropped, because IPVS would schedule them to endpoints on other nodes.
    private var firewallRules: [Rule] {
        ifNonEmpty(.loadBalancerFirewall) { [rule($0, addressAndPort, .jump(ProxyRules.sourceRanges.name))] }
            + ifNonEmpty(.noLocalEndpoints) {
                let clients = [match($0, addressAndPort), .isLocal(.source, isNegated: true)] + [localTraffic?.notLocal].compactMap(\.self)
                return [
                    Rule([.transport(.tcp)] + clients + [.connection([.new])], .drop, comment: $0.comment),
                    Rule([.transport(.tcp, isNegated: true)] + clients, .drop, comment: $0.comment),
                ]
            }
    }

    /// Packets of the node itself never pass INPUT: IPVS handles them in OUTPUT.
    private var outFilterRules: [Rule] {
        closedToNode.sorted().flatMap { server in
            [Rule([.source(CIDR(host: server.location.address)), .virtualServer(server)], .drop)]
                + (hasRoutes ? [Rule([.isLocal(.source), .virtualServer(server)], .drop)] : [])
        }
    }

    private var sourceRangesRules: [Rule] {
        [KubeSet.loadBalancerSourceCIDR, .loadBalancerSourceIP].flatMap {
            ifNonEmpty($0) { [rule($0, [.destination, .destination, .source], .return)] }
        } + [Rule([], .drop)]
    }

    /// A service address is a local address, so processes that listen on all addresses of the host would be reachable on it: only traffic
    /// to Service ports and ping are accepted.
    private var accessFilterRules: [Rule] {
        [KubeSet.loadBalancer, .clusterIP, .externalIP, .externalIPLocal].map { Rule([match($0, addressAndPort)], .return) }
            + [Rule(healthCheck, .return), echoRule] + rejectRules
    }

    /// Packets to a health check node port. iptables compares the port of any protocol that has one; nf_tables needs the protocol.
    private var healthCheck: [Rule.Match] {
        let port = match(.healthCheckNodePort, [.destination])
        return settings.packetFilter == .iptables ? [port] : [.transport(.tcp), port]
    }

    /// Echo requests are safe to accept: only the kernel answers them. Other ICMP queries are rejected like all other traffic. ICMP packets
    /// that are not queries, such as errors about a flow of a Service or neighbor discovery, are never NEW.
    private var echoRule: Rule { Rule([.echoRequest, match(.ipvsIPs, [.destination])], .return) }

    /// Each protocol is rejected with the reply that ends a connection attempt at once (RFC 9293 3.10.7.1, RFC 1122 4.1.3.1, RFC 9260 10
    /// ICMP8). The last rule is kube-proxy's.
    ///
    /// SCTP treats "protocol unreachable" as an abort and retries after "port unreachable". The IPv6 equivalent of the former is a
    /// Parameter Problem, which neither iptables nor nftables can send.
    private var rejectRules: [Rule] {
        let new = [Rule.Match.connection([.new]), match(.ipvsIPs, [.destination])]
        let sctp = Rule([.transport(.sctp)] + new, .reject(.protocolUnreachable))
        return [Rule([.transport(.tcp)] + new, .reject(.tcpReset))] + (family == .ipv4 ? [sctp] : [])
            + [Rule(new, .reject(.portUnreachable))]
    }

    // MARK: Parts of rules

    private var mark: UInt32 { 1 << UInt32(settings.masqueradeBit) }

    private var markMasquerade: Rule.Verdict { .jump(ProxyRules.markMasquerade.name) }

    private var addressAndPort: [Rule.Side] { [.destination, .destination] }

    private func match(_ set: KubeSet, _ sides: [Rule.Side]) -> Rule.Match { .set(set.name(family, in: settings.packetFilter), sides) }

    /// A rule with the comment of the set.
    private func rule(_ set: KubeSet, _ sides: [Rule.Side], _ verdict: Rule.Verdict, and others: Rule.Match...) -> Rule {
        Rule([match(set, sides)] + others, verdict, comment: set.comment)
    }

    private func ifNonEmpty(_ set: KubeSet, _ rules: (KubeSet) -> [Rule]) -> [Rule] {
        settings.hasRulesForEmptySets || nonEmptySets.contains(set) ? rules(set) : []
    }
}
