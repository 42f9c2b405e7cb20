import Model
import Testing
import Translation

@testable import KubeProxyConfiguration

private struct Case: CustomTestStringConvertible {
    let testDescription: String
    var families = NodeFamilies(primary: .ipv4, isDualStack: false)
    var podCIDRs: [String] = []
    var warnings: [String] = []
    var errors: [String] = []
    var change: @Sendable (inout FlagValues) -> Void = { _ in }

    func familyMismatches() throws -> FamilyMismatches {
        var flags = FlagValues()
        flags.nodePortAddresses = ["primary"]
        change(&flags)
        return try ProxyConfiguration(flags, hostname: "n").familyMismatches(families, podCIDRs: podCIDRs.compactMap { CIDR($0) })
    }
}

private let dual = NodeFamilies(primary: .ipv4, isDualStack: true)
private let ipv6 = NodeFamilies(primary: .ipv6, isDualStack: false)

private let nodePortCases: [Case] = [
    Case(testDescription: "unset", warnings: ["nodePortAddresses is unset; NodePort connections will be accepted on all local IPs"]) {
        $0.nodePortAddresses = nil
    },
    Case(testDescription: "primary"),
    Case(testDescription: "one family") { $0.nodePortAddresses = ["10.0.0.0/8"] },
    Case(testDescription: "two families", families: dual) {
        $0.nodePortAddresses = ["10.0.0.0/8", "fd00::/8"]
        $0.clusterCIDR = "10.0.0.0/8,fd00::/8"
    },
    Case(
        testDescription: "one family in a dual-stack cluster", families: dual,
        warnings: ["cluster appears to be dual-stack but nodePortAddresses contains only IPv4 addresses"]
    ) {
        $0.nodePortAddresses = ["10.0.0.0/8"]
        $0.clusterCIDR = "10.0.0.0/8,fd00::/8"
    },
    Case(
        testDescription: "one family on a dual-stack node", families: dual, podCIDRs: ["10.244.0.0/24", "fd00:1::/64"],
        warnings: ["cluster appears to be dual-stack but nodePortAddresses contains only IPv4 addresses"]
    ) { $0.nodePortAddresses = ["10.0.0.0/8"] },
    Case(
        testDescription: "the other family", families: dual,
        warnings: ["cluster appears to be IPv4-primary but nodePortAddresses contains only IPv6 addresses"]
    ) { $0.nodePortAddresses = ["fd00::/8"] },
    Case(
        testDescription: "the other family on IPv6", families: ipv6,
        warnings: ["cluster appears to be IPv6-primary but nodePortAddresses contains only IPv4 addresses"]
    ) {
        $0.nodePortAddresses = ["10.0.0.0/8"]
        $0.metricsBindAddress = "[::1]:10249"
    },
]

private let familyCases: [Case] = [
    Case(testDescription: "cluster range of the family") { $0.clusterCIDR = "10.0.0.0/8" },
    Case(testDescription: "cluster ranges of both") { $0.clusterCIDR = "fd00::/8,10.0.0.0/8" },
    Case(
        testDescription: "cluster range of the other family", errors: ["cluster is IPv4-only but clusterCIDRs contains only IPv6 addresses"]
    ) {
        $0.clusterCIDR = "fd00::/8"
    },
    Case(
        testDescription: "cluster range of the other family in dual stack", families: dual,
        warnings: ["cluster is IPv4-primary but clusterCIDRs contains only IPv6 addresses"]
    ) { $0.clusterCIDR = "fd00::/8" },
    Case(
        testDescription: "cluster range of the other family on IPv6", families: ipv6,
        errors: ["cluster is IPv6-only but clusterCIDRs contains only IPv4 addresses"]
    ) {
        $0.clusterCIDR = "10.0.0.0/8"
        $0.healthzBindAddress = "[::]:1"
        $0.metricsBindAddress = "[::1]:2"
    },
    Case(
        testDescription: "node's range of the other family", families: dual, podCIDRs: ["fd00:1::/64"],
        errors: ["cluster is IPv4-primary but node.spec.podCIDRs contains only IPv6 addresses"]
    ) { $0.detectLocalMode = "NodeCIDR" },
    Case(
        testDescription: "node's range of the other family, which is not used", podCIDRs: ["fd00:1::/64"],
        warnings: ["cluster is IPv4-only but node.spec.podCIDRs contains only IPv6 addresses"]),
    Case(
        testDescription: "metrics address and excluded ranges of the other family",
        warnings: [
            "cluster is IPv4-only but ipvs.excludeCIDRs contains only IPv6 addresses",
            "cluster is IPv4-only but metricsBindAddress is IPv6",
        ]
    ) {
        $0.ipvsExcludeCIDRs = ["fd00::/8"]
        $0.metricsBindAddress = "[::1]:10249"
        $0.healthzBindAddress = "[::]:10256"
    },
    Case(testDescription: "the same in dual stack", families: dual) {
        $0.ipvsExcludeCIDRs = ["fd00::/8"]
        $0.metricsBindAddress = "[::1]:10249"
    },
]

@Suite struct `A configuration on a node` {
    @Test(arguments: nodePortCases) fileprivate func `M10: causes a warning if node ports are reachable on more addresses than expected`(
        _ given: Case
    )
        throws
    {
        let familyMismatches = try given.familyMismatches()
        #expect(familyMismatches.errors.isEmpty && familyMismatches.warnings.count == given.warnings.count)
        for (reported, expected) in zip(familyMismatches.warnings, given.warnings) { #expect(reported.hasPrefix(expected)) }
    }

    @Test(arguments: familyCases) fileprivate func `M11: causes a warning or an error if it is for the other family`(_ given: Case) throws {
        let familyMismatches = try given.familyMismatches()
        #expect(familyMismatches == FamilyMismatches(warnings: given.warnings, errors: given.errors))
    }

    @Test func `M11: must match the family of the Node's addresses, whatever families the kernel supports`() throws {
        var flags = FlagValues()
        flags.detectLocalMode = "NodeCIDR"
        flags.kubeconfig = "/etc/kubeconfig"
        flags.nodePortAddresses = ["primary"]
        let configuration = try ProxyConfiguration(flags, hostname: "n")
        let node6 = NodeFamilies(
            supported: [.ipv4, .ipv6], bindAddress: IPAddress(v4: 0), hostAddresses: [try #require(IPAddress("fd00::1"))])
        let (pods4, pods6) = (try #require(CIDR("10.244.0.0/24")), try #require(CIDR("fd00:244::/64")))
        #expect(configuration.familyMismatches(node6, podCIDRs: [pods6]) == FamilyMismatches())
        #expect(
            configuration.familyMismatches(node6, podCIDRs: [pods4]).errors
                == ["cluster is IPv6-primary but node.spec.podCIDRs contains only IPv4 addresses"])
    }

    @Test func `has the primary family of its bind address, its Node or the kernel`() throws {
        let (any4, one6) = (IPAddress(v4: 0), try #require(IPAddress("fd00::1")))
        #expect(NodeFamilies(supported: [.ipv4, .ipv6], bindAddress: any4) == dual)
        #expect(NodeFamilies(supported: [.ipv6], bindAddress: any4) == ipv6)
        #expect(NodeFamilies(supported: [.ipv4, .ipv6], bindAddress: one6).primary == .ipv6)
        #expect(NodeFamilies(supported: [.ipv4, .ipv6], bindAddress: any4, hostAddresses: [one6, any4]).primary == .ipv6)
        #expect(NodeFamilies(supported: [.ipv4], bindAddress: any4, hostAddresses: [one6]).primary == .ipv4)
        #expect(NodeFamilies(supported: [.ipv4], bindAddress: one6) == NodeFamilies(primary: .ipv6, isDualStack: false))
    }
}
