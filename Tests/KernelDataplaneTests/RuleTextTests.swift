import Model
import Testing

@testable import KernelDataplane
@testable import Translation

/// The rules of a cluster in which every set has members, by how local traffic is detected, with addresses and with routes.
func allRules(_ family: IPFamily, _ filter: PacketFilterKind) -> [(chain: Rules.Chain, rule: Rule)] {
    [
        LocalTraffic.clusterCIDR(["10.244.0.0/16", "fd00:244::/32"].compactMap { CIDR($0) }), .bridgeInterface("cni0"),
        .interfaceNamePrefix("veth"), .clusterCIDR([]),
    ].flatMap { traffic in [false, true].map { (traffic, $0) } }.flatMap { traffic, hasRoutes in
        let settings = TranslationSettings(nodeName: "node1", localTraffic: traffic, packetFilter: filter)
        let address = IPAddress(family == .ipv4 ? "192.0.2.50" : "2001:db8::50").map { AddressPort($0, 80) }
        let rules = ProxyRules(
            family: family, settings: settings, localTraffic: traffic.match(family, podCIDRs: []), nonEmptySets: Set(KubeSet.allCases),
            closedToNode: Set([address].compactMap(\.self).map { .init(.tcp, $0) }), hasRoutes: hasRoutes
        ).rules
        return rules.chains.flatMap { chain, rules in rules.map { (chain, $0) } }
            + rules.jumps.map { (Rules.Chain($0.table, $0.from), $0.rule) }
    }
}

@Suite struct `A rule of iptables` {
    @Test(arguments: IPFamily.allCases) func `is read from its text as the value that it was written from`(family: IPFamily) {
        let rules = allRules(family, .iptables).map(\.rule)
        #expect(rules.count > 100)
        for rule in rules { #expect(RuleText.rule(RuleText.text(rule, family), family) == rule, "\(RuleText.text(rule, family))") }
    }

    @Test(arguments: [
        "-j DNAT --to-destination 10.0.0.1", "-p tcp -m tcp --dport 22 -j ACCEPT",
        "-m comment --comment \"a \\\"quoted\\\" word\" -j KUBE-X -m",
        "", "-j", "!", "-m", "-m set", "-m set --match-set A dst,dst", "-s 10.0.0.1 -j ACCEPT", "-s nonsense -j DROP", "! ! -p tcp -j DROP",
        "-j MARK --set-xmark 0x4000/0xffffffff", "-m mark --mark 0x4000/0x8000 -j RETURN", "-m conntrack --ctstate NEW,SNAT -j DROP",
        "-m ipvs --vproto 6 --vaddr 10.0.0.1 --vport 99999 -j DROP", "-m set --match-set A dst,other -j DROP", "-g KUBE-X",
    ])
    func `that this program does not write keeps its text`(text: String) {
        #expect(RuleText.rule(text, .ipv4) == .other(text))
        #expect(RuleText.text(RuleText.rule(text, .ipv4), .ipv4) == text)
    }

    @Test func `has a comment with escaped quotes, as iptables-save prints it`() {
        let rule = Rule([], .accept, comment: #"type 'a' "b" \ c"#)
        #expect(RuleText.text(rule, .ipv4) == #"-m comment --comment "type \'a\' \"b\" \\ c" -j ACCEPT"#)
        #expect(RuleText.rule(RuleText.text(rule, .ipv4), .ipv4) == rule)
    }
}
