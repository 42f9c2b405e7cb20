import Kubernetes
import Model
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import LocalhostNodePorts

private func origin(_ name: String) -> ServiceOrigin {
    ServiceOrigin(service: NamespacedName(namespace: "default", name: name), portName: "", kind: .nodePort)
}

/// A state with node ports and their Services.
private func state(_ ports: [UInt16: String]) -> NodeState {
    NodeState(
        virtualServers: ports.map { port, name in
            // TCP cannot connect to this address: no packet leaves this machine.
            VirtualServer(.init(.tcp, AddressPort(IPAddress(v4: 0xffff_ffff), port)), origin: origin(name))
        })
}

/// Listens on a port of 127.0.0.1.
private func listen(_ port: UInt16 = 0) async throws -> any Channel {
    try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .bind(host: "127.0.0.1", port: Int(port)).get()
}

private func port(_ channel: any Channel) throws -> UInt16 { try #require(channel.localAddress?.port.flatMap { UInt16(exactly: $0) }) }

/// Returns ports of 127.0.0.1 without a listener, others for each call. The kernel assigns no such ports to the sockets of other tests.
private func freePorts(_ count: Int) async throws -> [UInt16] {
    var ports: [UInt16] = []
    while ports.count < count {
        let port = candidate.wrappingAdd(1, ordering: .relaxed).oldValue
        guard let channel = try? await listen(port) else { continue }
        try await channel.close()
        // A process that another test starts at this moment has the socket until it executes its program.
        try await #require(becomesTrue { await !isListening(port) })
        ports.append(port)
    }
    return ports
}

/// Below the ports of `net.ipv4.ip_local_port_range`.
private let candidate = Atomic(UInt16.random(in: 10_000..<20_000))

private func isListening(_ port: UInt16, on address: String = "127.0.0.1") async -> Bool {
    (try? await withClient(of: port, address: address) { _, _ in true }) ?? false
}

@Suite(.timeLimit(.minutes(10))) struct `Node ports on 127.0.0.1` {
    private func run(_ body: (LocalhostNodePorts, EventLog) async throws -> Void) async throws {
        let events = EventLog()
        let relay = LocalhostNodePorts(retryInterval: .milliseconds(100), events: events, logger: silent)
        let task = Task { try await relay.run() }
        try await body(relay, events)
        task.cancel()
        try await task.value
    }

    @Test func `have listeners while configured, on no other address`() async throws {
        let ports = try await freePorts(2)
        try await run { (relay, _) async throws in
            #expect(await !isListening(ports[0]))
            relay.follow(.everything, of: state([ports[0]: "web"]))
            #expect(try await becomesTrue { await isListening(ports[0]) })
            #expect(await !isListening(ports[0], on: "127.0.0.2"))
            relay.follow(.everything, of: state([ports[1]: "web"]))
            #expect(try await becomesTrue { await isListening(ports[1]) })
            #expect(try await becomesTrue { await !isListening(ports[0]) })
        }
        #expect(await !isListening(ports[1]))
    }

    @Test func `that are in use by another process are reported once with their Service, do not block others, and are opened once free`()
        async throws
    {
        let taken = try await listen()
        let (busy, free) = (try port(taken), try await freePorts(1)[0])
        try await run { relay, events in
            relay.follow(.everything, of: state([busy: "unlucky", free: "web"]))
            #expect(try await becomesTrue { await isListening(free) })
            #expect(try await becomesTrue { !events.events.isEmpty })
            try await Task.sleep(for: .milliseconds(500))
            let event = try #require(events.events.first)
            #expect(events.events.count == 1, "not at every attempt")
            #expect(event.regarding == .service(NamespacedName(namespace: "default", name: "unlucky")))
            #expect(event.note.contains("\(busy)") && event.note.contains("in use"), "\(event.note)")

            try await taken.close()
            // The relay cannot reach the backend; only the listener matters here.
            #expect(try await becomesTrue { await isListening(busy) })
            #expect(events.events.count == 1)
        }
    }
}
