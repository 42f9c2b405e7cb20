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
                    "-m set --match-set KUBE-LOAD-BALANCER dst,dst -j KUBE-LOAD-BALANCER",
                    "-m comment --comment \"Kubernetes service cluster ip\" -m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ",
                ],
                .init(.nat, "KUBE-MARK-MASQ"): ["-j MARK --set-xmark 0x4000/0x4000"],
                .init(.nat, "KUBE-LOAD-BALANCER"): ["-j KUBE-MARK-MASQ"],
                .init(.filter, "KUBE-PROXY-FIREWALL"): [
                    "-m set --match-set KUBE-LOAD-BALANCER-SOURCE-CIDR dst,dst,src -j RETURN",
                    "-m set --match-set KUBE-LOAD-BALANCER-FW dst,dst -j DROP",
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
        Explanation(destination, kernel: kernel, known: known, proxyAnswered: true, isHeldElsewhere: false)
    }

    @Test func `shows the rules that a packet meets, and no others`() throws {
        let explanation = explain(try node())
        #expect(explanation.obstacles.isEmpty, "\(explanation.obstacles)")
        #expect(
            explanation.lines.contains(
                "  -A KUBE-SERVICES -m comment --comment \"Kubernetes service cluster ip\" -m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ"
                    + "  # 10.96.0.10,tcp:80 is in KUBE-CLUSTER-IP"))
        #expect(explanation.lines.contains("  -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000"))
        #expect(!explanation.lines.contains { $0.contains("KUBE-LOAD-BALANCER") })
        #expect(explanation.lines.contains("  -> 10.244.1.10:8080  weight 1"))
    }

    @Test func `names the rule that drops the packet`() throws {
        let explanation = explain(try node(firewalled: true))
        #expect(
            explanation.obstacles == ["dropped by filter KUBE-PROXY-FIREWALL: -m set --match-set KUBE-LOAD-BALANCER-FW dst,dst -j DROP"])
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
    private func verdict(_ rule: String, members: [AddressSet.Member] = []) throws -> RuleCondition.Verdict {
        let destination = VirtualServer.Identity(.udp, AddressPort(try #require(IPAddress("10.99.0.2")), 30053))
        let set = AddressSet(
            .init("S"), kind: .bitmapPort, family: .ipv4, members: Dictionary(members.map { ($0, nil) }) { first, _ in first })
        return RuleCondition(rule, destination, [set.name: set]).verdict
    }

    @Test func `is certain if only the destination matters, and uncertain otherwise`() throws {
        #expect(try verdict("-p udp -m set --match-set S dst -j A", members: [.port(30053)]) == .yes)
        #expect(try verdict("-p tcp -m set --match-set S dst -j A", members: [.port(30053)]) == .no)
        #expect(try verdict("-m set --match-set S dst -j A", members: [.port(1)]) == .no)
        #expect(try verdict("-m set ! --match-set S dst -j A", members: [.port(1)]) == .yes)
        #expect(try verdict("-s 10.0.0.0/8 -j A") == .perhaps)
        #expect(try verdict("-m comment --comment \"goes -p tcp not\" -j A") == .yes)
    }
}
