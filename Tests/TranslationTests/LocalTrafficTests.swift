import Model
import Testing

@testable import Translation

private func ranges(_ texts: String...) -> [CIDR] { texts.compactMap { CIDR($0) } }

@Suite struct `Traffic of this node's pods` {
    @Test func `L6: is detected by source range, bridge or interface prefix`() throws {
        func match(_ traffic: LocalTraffic) -> Rule.Match? { traffic.match(.ipv4, podCIDRs: ranges("10.0.0.0/24"))?.notLocal }
        #expect(match(.clusterCIDR(ranges("10.0.0.0/14"))) == .source(try #require(CIDR("10.0.0.0/14")), isNegated: true))
        #expect(match(.nodeCIDR) == .source(try #require(CIDR("10.0.0.0/24")), isNegated: true))
        #expect(match(.bridgeInterface("eth0")) == .inputInterface("eth0", isNegated: true))
        #expect(match(.interfaceNamePrefix("eth")) == .inputInterface("eth", isPrefix: true, isNegated: true))
        #expect(match(.clusterCIDR([])) == nil)
    }

    @Test(
        arguments: [
            (ranges("10.0.0.0/14"), "10.0.0.0/14", nil), (ranges("2002:0:0:1234::/64"), nil, "2002:0:0:1234::/64"),
            (ranges("10.0.0.0/14", "2002:0:0:1234::/64"), "10.0.0.0/14", "2002:0:0:1234::/64"),
            (ranges("2002:0:0:1234::/64", "10.0.0.0/14"), "10.0.0.0/14", "2002:0:0:1234::/64"), ([], nil, nil),
        ] as [([CIDR], String?, String?)])
    func `M12: is detected by the range of each family in any order, and not at all without one`(
        given: [CIDR], four: String?, six: String?
    ) {
        for traffic in [LocalTraffic.clusterCIDR(given), .nodeCIDR] {
            func notLocal(_ range: String?) -> Rule.Match? { range.flatMap { CIDR($0) }.map { .source($0, isNegated: true) } }
            #expect(traffic.match(.ipv4, podCIDRs: given)?.notLocal == notLocal(four))
            #expect(traffic.match(.ipv6, podCIDRs: given)?.notLocal == notLocal(six))
        }
    }

    @Test(arguments: IPFamily.allCases) func `M12: is detected by an interface in both families, regardless of the length of its name`(
        family: IPFamily
    ) {
        let name = "avz1234567890123456789"
        #expect(LocalTraffic.bridgeInterface(name).match(family, podCIDRs: [])?.notLocal == .inputInterface(name, isNegated: true))
        #expect(
            LocalTraffic.interfaceNamePrefix(name).match(family, podCIDRs: [])?.notLocal
                == .inputInterface(name, isPrefix: true, isNegated: true))
    }
}

@Suite struct `The addresses of this node` {
    @Test(
        arguments: [
            ([], "0.0.0.0", .ipv4, []), ([], "::", .ipv4, []), ([], "192.0.2.1", .ipv4, ["192.0.2.1"]), ([], "fd00::1", .ipv6, ["fd00::1"]),
            (["192.0.2.2"], "0.0.0.0", .ipv4, ["192.0.2.2"]), (["192.0.2.2"], "::", .ipv4, ["192.0.2.2"]),
            (["fd00::2"], "0.0.0.0", .ipv6, ["fd00::2"]), (["192.0.2.2", "fd00::2"], "::", .ipv4, ["192.0.2.2", "fd00::2"]),
            (["fd00::2", "192.0.2.2"], "0.0.0.0", .ipv6, ["fd00::2", "192.0.2.2"]),
            (["192.0.2.2", "fd00::2"], "192.0.2.1", .ipv4, ["192.0.2.1", "fd00::2"]),
            (["192.0.2.2", "fd00::2"], "fd00::1", .ipv6, ["fd00::1", "192.0.2.2"]),
            (["fd00::2", "192.0.2.2"], "127.0.0.1", .ipv4, ["127.0.0.1", "fd00::2"]),
            (["192.0.2.2"], "fd00::1", .ipv6, ["fd00::1", "192.0.2.2"]),
        ] as [([String], String, IPFamily, [String])])
    func `M9: are the bind address, then the addresses of the Node object`(
        node: [String], bind: String, primary: IPFamily, expected: [String]
    ) throws {
        let found = NodeIPs(hostAddresses: node.compactMap { IPAddress($0) }, bindAddress: try #require(IPAddress(bind)))
        #expect(found.primary == primary && found.addresses.map(\.description) == expected)
    }
}
