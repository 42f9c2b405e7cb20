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

@Suite struct `The comparison of addresses and sets` {
    private static let address = IPAddress(v4: 0x0a60_0001)
    private static let other = IPAddress(v4: 0x0a60_0002)
    private static let name = AddressSet.Name("KUBE-CLUSTER-IP")

    private static func state(members: [IPAddress] = [address], kind: AddressSetType = .hashIP) -> NodeState {
        var state = NodeState(hasDevice: true)
        state.isDeviceUp = true
        state.addresses.updateValue(nil, forKey: address)
        state.routes[other] = LocalRoute(source: address)
        let members = Dictionary(uniqueKeysWithValues: members.map { (AddressSet.Member.address($0), ServiceOrigin?.none) })
        state.sets[name] = AddressSet(name, kind: kind, family: .ipv4, members: members)
        return state
    }

    private static func mismatches(_ change: (inout NodeState) -> Void) -> Scope.Selection {
        var observed = state()
        change(&observed)
        return Findings(expected: state(), observed: observed, in: .init(device: true, members: [name: []])).mismatches
    }

    @Test func `finds nothing if all is as expected`() { #expect(Self.mismatches { _ in }.isEmpty) }

    @Test func `finds a device that is missing or down`() {
        #expect(Self.mismatches { $0.isDeviceUp = false } == .init(device: true))
        #expect(Self.mismatches { $0.hasDevice = false } == .init(device: true))
    }

    @Test func `finds missing and extra addresses`() {
        #expect(Self.mismatches { $0.addresses = [:] } == .init(addresses: [Self.address]))
        #expect(Self.mismatches { $0.addresses.updateValue(nil, forKey: Self.other) } == .init(addresses: [Self.other]))
    }

    @Test func `finds missing, extra and changed routes`() {
        #expect(Self.mismatches { $0.routes = [:] } == .init(addresses: [Self.other]))
        #expect(Self.mismatches { $0.routes[Self.address] = LocalRoute() } == .init(addresses: [Self.address]))
        #expect(Self.mismatches { $0.routes[Self.other] = LocalRoute() } == .init(addresses: [Self.other]))
    }

    @Test func `finds missing and extra members, and all of a set that is missing or has another type`() {
        let (member, extra) = (AddressSet.Member.address(Self.address), AddressSet.Member.address(Self.other))
        #expect(Self.mismatches { $0.sets = Self.state(members: []).sets } == .init(members: [Self.name: [member]]))
        #expect(Self.mismatches { $0.sets = Self.state(members: [Self.address, Self.other]).sets } == .init(members: [Self.name: [extra]]))
        #expect(Self.mismatches { $0.sets = [:] } == .init(members: [Self.name: [member]]))
        #expect(Self.mismatches { $0.sets = Self.state(kind: .hashIPPort).sets } == .init(members: [Self.name: [member]]))
    }
}
