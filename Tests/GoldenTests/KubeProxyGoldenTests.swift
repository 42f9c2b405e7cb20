import Kubernetes
import Model
import Reconciler
import Testing
import Translation

@testable import KernelDataplane

private let scenarios = [
    "affinity", "clusterip-basic", "clusterip-multiport", "clusterip-no-endpoints", "detect-interface-prefix", "dual-stack", "externalips",
    "headless-externalname-otherproxy", "ipv6-lb-local", "itp-local", "itp-local-none", "lb-etp-local-hc", "lb-ipmode-proxy",
    "lb-sourceranges", "lb-sourceranges-node", "lb-vip", "masquerade-all", "no-cluster-cidr", "nodeport", "nodeport-addresses",
    "nodeport-etp-local", "nodeport-etp-local-none", "nodeport-udp-sctp", "scheduler-lc-mark9", "scheduler-mh", "terminating-mixed",
    "terminating-only", "two-slices-dup", "zone-hints", "zone-hints-partial",
].map(KubeProxyScenario.init)

/// The node's addresses in all scenarios.
private let localAddresses = Set(["10.99.0.2", "fd00:99::2", "127.0.0.1", "::1", "fe80::1"].compactMap { IPAddress($0) })

private func settings(_ flags: [String: String]) -> TranslationSettings {
    let ranges = (flags["--cluster-cidr"] ?? "10.244.0.0/16,fd00:244::/32").split(separator: ",").compactMap { CIDR(String($0)) }
    let prefix = flags["--pod-interface-name-prefix"]
    return TranslationSettings(
        nodeName: "node1", scheduler: flags["--ipvs-scheduler"].flatMap { Scheduler($0) } ?? .roundRobin,
        masqueradeAll: flags["--masquerade-all"] != nil,
        masqueradeBit: flags["--iptables-masquerade-bit"].flatMap { Int($0) } ?? 14,
        localTraffic: prefix.map { .interfaceNamePrefix($0) } ?? .clusterCIDR(ranges),
        nodePortAddresses: flags["--nodeport-addresses"].flatMap { CIDR($0) }.map { .ranges([$0]) } ?? .all)
}

@Suite struct `The desired state for kube-proxy 1.36's test objects` {
    private func desired(_ scenario: KubeProxyScenario) throws -> NodeState {
        var translation = Translation(settings(try scenario.arguments()))
        var cluster = scenario.cluster()
        _ = translation.update(cluster.popDirtyServices(), of: cluster, NodeAddresses(localAddresses))
        return translation.desired
    }

    @Test(arguments: scenarios) fileprivate func `has kube-proxy's virtual servers`(scenario: KubeProxyScenario) throws {
        var lines: [String] = []
        for server in try desired(scenario).virtualServers.values {
            lines.append("-A \(server.ipvsadmArguments)")
            lines += server.realServers.map { "-a \(server.identity.ipvsadmArguments) \($0.ipvsadmArguments)" }
        }
        #expect(lines.sorted() == (try scenario.lines("ipvs")).sorted())
    }

    @Test(arguments: scenarios) fileprivate func `has kube-proxy's sets and members`(scenario: KubeProxyScenario) throws {
        let sets = try desired(scenario).sets.values
        let expected = try scenario.lines("ipset")
        #expect(
            sets.flatMap { set in set.members.keys.map { "add \(set.name) \($0)" } }.sorted()
                == expected.filter { $0.hasPrefix("add ") }.sorted())
        let created = expected.filter { $0.hasPrefix("create ") }.map { $0.split(separator: " ")[1...2].joined(separator: " ") }
        let ours = Set(IPFamily.allCases.map { KubeSet.noLocalEndpoints.name($0) })
        #expect(sets.filter { !ours.contains($0.name) }.map { "\($0.name) \($0.kind.rawValue)" }.sorted() == created.sorted())
    }

    @Test(arguments: scenarios) fileprivate func `has kube-proxy's addresses`(scenario: KubeProxyScenario) throws {
        #expect(
            try desired(scenario).addresses.keys.map { CIDR(host: $0).description }.sorted() == (try scenario.lines("addresses")).sorted())
    }

    @Test(arguments: scenarios, IPFamily.allCases) fileprivate func `has kube-proxy's rules in the same order`(
        scenario: KubeProxyScenario, family: IPFamily
    ) throws {
        let rules = try #require(try desired(scenario).rules[family])
        let found = RulesText.listing(try scenario.text(family == .ipv4 ? "iptables" : "ip6tables"), catalogue: rules)
        #expect(found.chains == rules.chains.mapValues { $0.map { RuleText.text($0, family) } })
        #expect(found.rules.chains == rules.chains)
        #expect(Set(found.jumps) == Set(rules.jumps))
    }
}
