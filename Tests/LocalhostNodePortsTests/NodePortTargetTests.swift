import LocalhostNodePorts
import Model
import Testing

private func identity(_ address: String, _ port: UInt16, _ transport: Transport = .tcp) throws -> VirtualServer.Identity {
    VirtualServer.Identity(transport, AddressPort(try #require(IPAddress(address)), port))
}

private func origin(_ name: String, _ kind: ServiceOrigin.AddressKind = .nodePort) -> ServiceOrigin {
    ServiceOrigin(service: NamespacedName(namespace: "default", name: name), portName: "", kind: kind)
}

private func state(_ servers: (VirtualServer.Identity, ServiceOrigin)...) -> NodeState {
    NodeState(virtualServers: servers.map { VirtualServer($0.0, origin: $0.1) })
}

/// A reference to targets: `#expect` cannot call mutating methods.
private final class TargetsReference {
    private var targets = NodePortTargets()
    var now: [UInt16: NodePortTarget] { targets.targets }
    func update(_ scope: Scope, of desired: NodeState) -> Bool { targets.update(scope, of: desired) }
}

@Suite struct `Targets of node ports on 127.0.0.1` {
    @Test func `are the TCP node ports of IPv4, each on the lowest address`() throws {
        let desired = state(
            (try identity("10.99.0.2", 30080), origin("web")), (try identity("10.9.0.2", 30080), origin("web")),
            (try identity("10.99.0.2", 30053, .udp), origin("dns")), (try identity("fd00:99::2", 30090), origin("six")),
            (try identity("10.96.0.10", 80), origin("web", .clusterIP)), (try identity("192.0.2.1", 443), origin("lb", .loadBalancer)))
        let targets = TargetsReference()
        #expect(targets.update(.everything, of: desired))
        #expect(
            targets.now == [
                30080: NodePortTarget(location: AddressPort(try #require(IPAddress("10.9.0.2")), 30080), origin: origin("web"))
            ])
    }

    @Test func `follow changes within the scope only`() throws {
        let (one, other) = (try identity("10.9.0.2", 30080), try identity("10.99.0.2", 30080))
        let targets = TargetsReference()
        #expect(targets.update(.only(.init(virtualServers: [one, other])), of: state((one, origin("web")), (other, origin("web")))))
        #expect(!targets.update(.only(.init(virtualServers: [other])), of: state((one, origin("web")))), "the lowest stays")
        #expect(targets.update(.only(.init(virtualServers: [one, other])), of: state((other, origin("web")))))
        #expect(targets.now[30080]?.location == other.location)
        #expect(targets.update(.only(.init(virtualServers: [other])), of: state((other, origin("next")))))
        #expect(targets.now[30080]?.origin == origin("next"))
        #expect(!targets.update(.only(.init(headers: true)), of: state()), "changes outside the scope are ignored")
        #expect(targets.update(.only(.init(virtualServers: [other])), of: state()))
        #expect(targets.now.isEmpty)
    }

    @Test func `are never on loopback, where the relay itself listens`() throws {
        let targets = TargetsReference()
        #expect(!targets.update(.everything, of: state((try identity("127.0.0.1", 30080), origin("web")))))
        #expect(targets.now.isEmpty)
    }
}
