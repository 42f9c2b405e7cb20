internal import Model

/// The iptables rules of one family, which decide what traffic is masqueraded, accepted and rejected.
///
/// They depend on which sets have members and on settings, not on the number of Services, except for one rule for each load balancer that
/// this node itself may not use. They are kube-proxy's rules in kube-proxy's order, in the form that `iptables-save` prints. Rules of this
/// program are those for the set `KUBE-NO-LOCAL-ENDPOINTS`, and those by which service addresses answer ping and reject traffic to ports
/// that belong to no Service.
struct ProxyRules: Hashable {
    let family: IPFamily
    let settings: TranslationSettings
    /// How traffic from this node's pods is detected; nil if it cannot be.
    let localTraffic: LocalTraffic.Match?
    /// Sets with at least one member. Rules for empty sets, which could never match, are left out.
    let nonEmptySets: Set<KubeSet>
    /// Load balancers that the node itself must not reach, because it is in none of their source ranges.
    var closedToNode: Set<VirtualServer.Identity> = []

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
        rules += ifNonEmpty(.noLocalEndpoints) { ["\(commented($0, "dst,dst")) -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ"] }
        rules += ifNonEmpty(.loadBalancer) { ["\(commented($0, "dst,dst")) -j \(ProxyRules.loadBalancer.name)"] }
        rules += ifNonEmpty(.clusterIP) { _ in [clusterIPRule] }
        rules += ifNonEmpty(.externalIP) { ["\(commented($0, "dst,dst")) -j KUBE-MARK-MASQ"] + externalIPRules($0) }
        rules += ifNonEmpty(.externalIPLocal) { externalIPRules($0) }
        rules.append("-m addrtype --dst-type LOCAL -j \(ProxyRules.natNodePort.name)")
        for set in [KubeSet.clusterIP, .loadBalancer] { rules += ifNonEmpty(set) { ["\(match($0, "dst,dst")) -j ACCEPT"] } }
        return rules
    }

    /// Masquerades all clients of a cluster IP, all except this node's pods, or (if local traffic cannot be detected) only the node itself,
    /// whose packets to a cluster IP have that IP as their source.
    private var clusterIPRule: String {
        if settings.masqueradeAll { return "\(commented(.clusterIP, "dst,dst")) -j KUBE-MARK-MASQ" }
        if let localTraffic { return "\(localTraffic.notLocal) \(commented(.clusterIP, "dst,dst")) -j KUBE-MARK-MASQ" }
        return "\(commented(.clusterIP, "src,dst")) -j KUBE-MARK-MASQ"
    }

    /// Ends traversal for clients outside of the node (first rule), and for all packets to an external IP that is a local address (second rule).
    private func externalIPRules(_ set: KubeSet) -> [String] {
        [
            "\(commented(set, "dst,dst")) -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT",
            "\(commented(set, "dst,dst")) -m addrtype --dst-type LOCAL -j ACCEPT",
        ]
    }

    private var postroutingRules: [String] {
        ifNonEmpty(.loopBack) { ["\(commented($0, "dst,dst,src")) -j MASQUERADE"] } + [
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
            ifNonEmpty(local) { ["-p \(transport.lowercaseName) \(commented($0, direction)) -j RETURN"] }
                + ifNonEmpty(all) { ["-p \(transport.lowercaseName) \(commented($0, direction)) -j KUBE-MARK-MASQ"] }
        }
    }

    private var loadBalancerRules: [String] {
        ifNonEmpty(.loadBalancerLocal) { ["\(commented($0, "dst,dst")) -j RETURN"] } + ["-j KUBE-MARK-MASQ"]
    }

    /// If `externalTrafficPolicy` is Local and this node has no endpoint, the virtual server has the endpoints of the cluster, for this
    /// node and its pods. Packets from outside clients are dropped, and the node's own packets, which have the service address as their
    /// source, are masqueraded (`servicesRules`).
    ///
    /// Established TCP connections to a local endpoint that drains continue, because IPVS schedules TCP only on SYN. All packets of other
    /// protocols are dropped, because IPVS would schedule them to endpoints on other nodes.
    private var firewallRules: [String] {
        let outside = localTraffic.map { $0.notLocal + " " } ?? ""
        return ifNonEmpty(.loadBalancerFirewall) { ["\(commented($0, "dst,dst")) -j \(ProxyRules.sourceRanges.name)"] }
            + ifNonEmpty(.noLocalEndpoints) {
                let clients = "\(commented($0, "dst,dst")) -m addrtype ! --src-type LOCAL"
                return ["\(outside)-p tcp \(clients) -m conntrack --ctstate NEW -j DROP", "\(outside)! -p tcp \(clients) -j DROP"]
            }
    }

    /// Packets of the node itself never pass INPUT: IPVS handles them in OUTPUT.
    private var outFilterRules: [String] {
        closedToNode.sorted().map { server in
            let (address, port) = (server.location.address, server.location.port)
            return "-s \(CIDR(host: address)) -m ipvs --vproto \(server.transport.number) --vaddr \(address) --vport \(port) -j DROP"
        }
    }

    private var sourceRangesRules: [String] {
        [KubeSet.loadBalancerSourceCIDR, .loadBalancerSourceIP].flatMap { ifNonEmpty($0) { ["\(commented($0, "dst,dst,src")) -j RETURN"] } }
            + ["-j DROP"]
    }

    /// A service address is a local address, so processes that listen on all addresses of the host would be reachable on it: only traffic
    /// to Service ports and ping are accepted.
    private var accessFilterRules: [String] {
        let accepted: [(KubeSet, String)] = [
            (.loadBalancer, "dst,dst"), (.clusterIP, "dst,dst"), (.externalIP, "dst,dst"), (.externalIPLocal, "dst,dst"),
            (.healthCheckNodePort, "dst"),
        ]
        return accepted.map { "\(match($0, $1)) -j RETURN" } + echoRules + rejectRules
    }

    /// Echo requests are safe to accept: only the kernel answers them. Other ICMP queries are rejected like all other traffic. ICMP packets
    /// that are not queries, such as errors about a flow of a Service or neighbor discovery, are never NEW.
    private var echoRules: [String] {
        let type = family == .ipv4 ? "-p icmp -m icmp --icmp-type 8" : "-p ipv6-icmp -m icmp6 --icmpv6-type 128"
        return ["\(type) \(match(.ipvsIPs, "dst")) -j RETURN"]
    }

    /// Each protocol is rejected with the reply that ends a connection attempt at once (RFC 9293 3.10.7.1, RFC 1122 4.1.3.1, RFC 9260 10
    /// ICMP8). The last rule is kube-proxy's.
    ///
    /// SCTP treats "protocol unreachable" as an abort and retries after "port unreachable". The IPv6 equivalent of the former is a
    /// Parameter Problem, which REJECT cannot send.
    private var rejectRules: [String] {
        let (other, sctp) = family == .ipv4 ? ("icmp-port-unreachable", "icmp-proto-unreachable") : ("icmp6-port-unreachable", nil)
        let reject = "-m conntrack --ctstate NEW \(match(.ipvsIPs, "dst")) -j REJECT --reject-with"
        return ["-p tcp \(reject) tcp-reset"] + (sctp.map { ["-p sctp \(reject) \($0)"] } ?? []) + ["\(reject) \(other)"]
    }

    // MARK: Parts of rules

    private var mark: String { "0x" + String(UInt32(1) << UInt32(settings.masqueradeBit), radix: 16) }

    private func comment(_ text: String) -> String { "-m comment --comment \"\(text)\"" }

    private func match(_ set: KubeSet, _ directions: String) -> String { "-m set --match-set \(set.name(family)) \(directions)" }

    private func commented(_ set: KubeSet, _ directions: String) -> String { "\(comment(set.comment)) \(match(set, directions))" }

    private func ifNonEmpty(_ set: KubeSet, _ rules: (KubeSet) -> [String]) -> [String] { nonEmptySets.contains(set) ? rules(set) : [] }
}
