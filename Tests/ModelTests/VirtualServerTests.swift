import Model
import Testing

private func location(_ text: String, _ port: UInt16) -> AddressPort { AddressPort(IPAddress(text) ?? IPAddress(v4: 0), port) }

@Suite struct `A virtual server, compared with another` {
    private let server = VirtualServer(.init(.tcp, location("10.20.30.40", 80)), flags: .persistent, timeout: 10800)

    @Test func `differs by address, port, protocol, scheduler, flags and timeout`() throws {
        #expect(server.hasSameConfiguration(as: server))
        let lc = try #require(Scheduler("lc"))
        let others = [
            VirtualServer(.init(.tcp, location("10.20.30.41", 80)), flags: .persistent, timeout: 10800),
            VirtualServer(.init(.tcp, location("10.20.30.40", 81)), flags: .persistent, timeout: 10800),
            VirtualServer(.init(.udp, location("10.20.30.40", 80)), flags: .persistent, timeout: 10800),
            VirtualServer(.init(.tcp, location("10.20.30.40", 80)), scheduler: lc, flags: .persistent, timeout: 10800),
            VirtualServer(.init(.tcp, location("10.20.30.40", 80)), timeout: 10800),
            VirtualServer(.init(.tcp, location("10.20.30.40", 80)), flags: .persistent, timeout: 10801),
        ]
        for other in others { #expect(!server.hasSameConfiguration(as: other), "\(other)") }
    }

    @Test func `does not differ by real servers or origin`() {
        var other = server
        other.realServers = [RealServer(location("10.244.0.1", 8080))]
        other.origin = ServiceOrigin(service: NamespacedName(namespace: "default", name: "web"), portName: "", kind: .clusterIP)
        #expect(server.hasSameConfiguration(as: other))
    }

    @Test(
        arguments: [
            (.tcp, "10.20.30.40", 80, "10.20.30.40:80/TCP", "-t 10.20.30.40:80"),
            (.udp, "2012::beef", 1234, "[2012::beef]:1234/UDP", "-u [2012::beef]:1234"),
            (.sctp, "10.20.30.40", 36412, "10.20.30.40:36412/SCTP", "--sctp-service 10.20.30.40:36412"),
        ] as [(Transport, String, UInt16, String, String)])
    func `is identified by address, port and protocol`(transport: Transport, address: String, port: UInt16, text: String, arguments: String)
    {
        let identity = VirtualServer.Identity(transport, location(address, port))
        #expect(identity.description == text)
        #expect(identity.ipvsadmArguments == arguments)
    }

    @Test func `has real servers that are distinguished by address and port only`() {
        #expect(location("1.2.3.4", 8080).description == "1.2.3.4:8080")
        #expect(location("2012::beef", 8080).description == "[2012::beef]:8080")
        let light = RealServer(location("1.2.3.4", 8080), weight: 1)
        let heavy = RealServer(location("1.2.3.4", 8080), weight: 9)
        #expect(VirtualServer(server.identity, realServers: [light, heavy]).realServers.count == 1)
    }
}
