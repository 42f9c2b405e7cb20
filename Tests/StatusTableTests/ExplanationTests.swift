import Model
import Testing

@testable import StatusTable
import StatusAPI

@Suite struct `An explanation` {
    private let destination: VirtualServer.Identity

    init() throws { destination = .init(.tcp, AddressPort(try #require(IPAddress("10.96.0.10")), 80)) }

    /// A node that serves the address, with one real server and a firewall for load balancers.
    private func node(firewalled: Bool = false) throws -> NodeState {
        let real = RealServer(AddressPort(try #require(IPAddress("10.244.1.10")), 8080))
        let member = AddressSet.Member.addressPort(destination.location, .tcp)
        let rules = Rules(
            .ipv4,
            chains: [
                .init(.nat, "KUBE-SERVICES"): [
                    Rule([.set(.init("KUBE-LOAD-BALANCER"), [.destination, .destination])], .jump("KUBE-LOAD-BALANCER")),
                    Rule([.set(.init("KUBE-CLUSTER-IP"), [.destination, .destination])], .jump("KUBE-MARK-MASQ")),
                ],
                .init(.nat, "KUBE-MARK-MASQ"): [Rule([], .setMark(0x4000))],
                .init(.nat, "KUBE-LOAD-BALANCER"): [Rule([], .jump("KUBE-MARK-MASQ"))],
                .init(.filter, "KUBE-PROXY-FIREWALL"): [
                    Rule([.set(.init("KUBE-LOAD-BALANCER-SOURCE-CIDR"), [.destination, .destination, .source])], .return),
                    Rule([.set(.init("KUBE-LOAD-BALANCER-FW"), [.destination, .destination])], .drop),
                ],
            ],
            jumps: [
                .init(.nat, from: "PREROUTING", to: "KUBE-SERVICES", comment: "kubernetes service portals"),
                .init(.filter, from: "INPUT", to: "KUBE-PROXY-FIREWALL", comment: "kube-proxy firewall rules"),
            ])
        return NodeState(
            virtualServers: [VirtualServer(destination, realServers: [real])], addresses: [destination.location.address: nil],
            hasDevice: true,
            sets: [
                AddressSet(.init("KUBE-CLUSTER-IP"), kind: .hashIPPort, family: .ipv4, members: [member: nil]),
                AddressSet(.init("KUBE-LOAD-BALANCER"), kind: .hashIPPort, family: .ipv4),
                AddressSet(.init("KUBE-LOAD-BALANCER-SOURCE-CIDR"), kind: .hashIPPortNet, family: .ipv4),
                AddressSet(.init("KUBE-LOAD-BALANCER-FW"), kind: .hashIPPort, family: .ipv4, members: firewalled ? [member: nil] : [:]),
            ], rules: [rules])
    }

    private func explain(_ kernel: NodeState, known: ProxyReport.Server? = nil) -> Explanation {
        Explanation(destination, kernel: kernel, known: known, proxyAnswered: true, isHeldElsewhere: false) { chain, rule in
            "\(chain): \(rule.verdict)"
        }
    }

    @Test func `shows the rules that a packet meets, and no others`() throws {
        let explanation = explain(try node())
        #expect(explanation.obstacles.isEmpty, "\(explanation.obstacles)")
        #expect(explanation.lines.contains("  nat KUBE-SERVICES: jump(\"KUBE-MARK-MASQ\")  # 10.96.0.10,tcp:80 is in KUBE-CLUSTER-IP"))
        #expect(explanation.lines.contains("  nat KUBE-MARK-MASQ: setMark(16384)"))
        #expect(!explanation.lines.contains { $0.contains("KUBE-LOAD-BALANCER") })
        #expect(explanation.lines.contains("  -> 10.244.1.10:8080  weight 1"))
    }

    @Test func `names the rule that drops the packet`() throws {
        let explanation = explain(try node(firewalled: true))
        #expect(explanation.obstacles == ["dropped by filter KUBE-PROXY-FIREWALL: filter KUBE-PROXY-FIREWALL: drop"])
    }

    @Test(arguments: [
        "-p tcp -m tcp --dport 80 -j DROP", "meta l4proto == 0x06 drop",
    ])
    func `names a rule of others that may drop the packet`(text: String) throws {
        var node = try node()
        let firewall = Rules.Chain(.filter, "KUBE-PROXY-FIREWALL")
        node.rules[.ipv4]?.chains[firewall]?.insert(.other(text), at: 0)
        let obstacles = explain(node).obstacles
        #expect(obstacles == ["may be dropped by filter KUBE-PROXY-FIREWALL, by a rule that the proxy did not write: \(text)"])
        node.rules[.ipv4]?.chains[firewall]?[0] = .other("-p tcp -j RETURN")
        #expect(explain(node).obstacles.isEmpty)
    }

    @Test func `names an unbound address, a missing virtual server, and real servers that accept nothing`() throws {
        #expect(explain(NodeState()).obstacles.count == 2)
        var drained = try node()
        let real = RealServer(AddressPort(try #require(IPAddress("10.244.1.10")), 8080), weight: 0)
        drained.virtualServers[destination] = VirtualServer(destination, realServers: [real])
        #expect(explain(drained).obstacles == ["all real servers have weight 0 and accept no new connections"])
    }
}

@Suite struct `The condition of a rule` {
    private func verdict(_ matches: [Rule.Match], members: [AddressSet.Member] = []) throws -> RuleCondition.Verdict {
        let destination = VirtualServer.Identity(.udp, AddressPort(try #require(IPAddress("10.99.0.2")), 30053))
        let set = AddressSet(
            .init("S"), kind: .bitmapPort, family: .ipv4, members: Dictionary(members.map { ($0, nil) }) { first, _ in first })
        return RuleCondition(Rule(matches, .accept), destination, [set.name: set]).verdict
    }

    @Test func `is certain if only the destination matters, and uncertain otherwise`() throws {
        let set = Rule.Match.set(.init("S"), [.destination])
        #expect(try verdict([.transport(.udp), set], members: [.port(30053)]) == .yes)
        #expect(try verdict([.transport(.tcp), set], members: [.port(30053)]) == .no)
        #expect(try verdict([.transport(.udp, isNegated: true)]) == .no)
        #expect(try verdict([set], members: [.port(1)]) == .no)
        #expect(try verdict([.echoRequest]) == .no)
        #expect(try verdict([.source(.loopback(.ipv4))]) == .perhaps)
        #expect(try verdict([.isLocal(.source), set], members: [.port(1)]) == .no)
        #expect(RuleCondition(.other("-p tcp -j A"), .init(.udp, AddressPort(IPAddress(v4: 1), 1)), [:]).verdict == .perhaps)
        #expect(try verdict([]) == .yes)
    }
}
