import Model
import Reconciler
import Testing

private let identity = VirtualServer.Identity(.tcp, AddressPort(IPAddress(v4: 0x0a60_0001), 80))

/// A real server with a value in every field.
private func realServer(_ number: UInt32) -> RealServer {
    RealServer(AddressPort(IPAddress(v4: 0x0af4_0000 + number), 8080), weight: 3, forwarding: .tunnel, upperThreshold: 9, lowerThreshold: 4)
}

/// Each field that the kernel stores, changed.
private let changes: [(field: String, change: @Sendable (inout RealServer) -> Void)] = [
    ("address", { $0.location.address = IPAddress(v4: 0x0af4_0007) }),
    ("port", { $0.location.port = 8081 }),
    ("weight", { $0.weight = 0 }),
    ("forwarding", { $0.forwarding = .masquerade }),
    ("upper threshold", { $0.upperThreshold = 0 }),
    ("lower threshold", { $0.lowerThreshold = 0 }),
]

@Suite struct `The comparison of real servers` {
    private let expected = VirtualServer(identity, realServers: [realServer(1), realServer(2)])

    private func isEqual(_ found: [RealServer]) -> Bool {
        var comparison = RealServerComparison(with: expected)
        for server in found { comparison.add(server) }
        return comparison.isEqual
    }

    @Test func `ignores order, counters and times`() {
        var busy = realServer(1)
        busy.connections = .init(active: 5, inactive: 6, persistent: 7)
        busy.origin = EndpointOrigin(pod: "web-1", node: "node1")
        busy.drainingSince = .seconds(1)
        #expect(isEqual([realServer(2), busy]))
    }

    @Test(arguments: changes.map(\.field)) func `finds a change of the`(field: String) throws {
        let change = try #require(changes.first { $0.field == field }).change
        var changed = realServer(2)
        change(&changed)
        #expect(!isEqual([realServer(1), changed]))
        #expect(!isEqual([changed, realServer(1)]))
    }

    @Test func `finds missing and extra real servers`() {
        #expect(!isEqual([]))
        #expect(!isEqual([realServer(1)]))
        #expect(!isEqual([realServer(1), realServer(2), realServer(3)]))
        #expect(!isEqual([realServer(1), realServer(3)]))
        #expect(!isEqual([realServer(1), realServer(2), realServer(2)]), "a part of a dump that was repeated")
    }
}

@Suite struct `The comparison of virtual servers` {
    private let other = VirtualServer.Identity(.tcp, AddressPort(IPAddress("fd00::1") ?? IPAddress(v4: 0), 80))
    private var expected: NodeState {
        NodeState(virtualServers: [VirtualServer(identity, realServers: [realServer(1), realServer(2)]), VirtualServer(other)])
    }

    private func findings(_ found: [(VirtualServer, Int?)], in families: Set<IPFamily> = [.ipv4, .ipv6]) -> Findings {
        var comparison = HeaderComparison(with: expected, in: families)
        for (server, count) in found { comparison.add(server, realServerCount: count) }
        var findings = Findings()
        comparison.end(&findings)
        return findings
    }

    @Test func `finds nothing if all are as expected`() {
        #expect(findings([(VirtualServer(identity), 2), (VirtualServer(other), nil)]) == Findings())
    }

    @Test func `finds changed, missing and unexpected ones, and another number of real servers`() {
        let foreign = VirtualServer(.init(.udp, identity.location))
        let changed = findings([(VirtualServer(identity, scheduler: .maglevHash), 2), (VirtualServer(other), 0), (foreign, 1)])
        #expect(changed.mismatches == .init(virtualServers: [identity]) && changed.unexpected == [foreign])
        #expect(findings([(VirtualServer(other), nil)]).mismatches == .init(virtualServers: [identity]))
        for count in [0, 1, 3] {
            #expect(findings([(VirtualServer(identity), count), (VirtualServer(other), 0)]).mismatches == .init(realServers: [identity]))
        }
    }

    @Test func `of one family ignores the other`() {
        #expect(findings([(VirtualServer(identity), 2)], in: [.ipv4]) == Findings())
        #expect(findings([(VirtualServer(identity, scheduler: .maglevHash), 2)], in: [.ipv6]).mismatches == .init(virtualServers: [other]))
    }
}
