import Model
import Reconciler
import Testing

private let address = IPAddress("10.96.0.1") ?? IPAddress(v4: 0)

private func realServer(_ number: UInt32, weight: UInt32 = 1) -> RealServer {
    RealServer(AddressPort(IPAddress(v4: 0x0af4_0000 + number), 8080), weight: weight)
}

private func plan(_ observed: NodeState, _ desired: NodeState) -> [Operation] {
    Plan(from: observed, to: desired, drainTimeout: .seconds(900), now: .seconds(0)).operations
}

/// What a virtual server in the kernel and one that a Service asks for come to.
@Suite struct `A virtual server in a plan` {
    private func server(_ transport: Transport) -> VirtualServer {
        VirtualServer(.init(transport, AddressPort(address, 80)), realServers: [realServer(1)])
    }

    private func state(_ server: VirtualServer?, isBound: Bool = true) -> NodeState {
        NodeState(virtualServers: [server].compactMap(\.self), addresses: isBound ? [address: nil] : [:], hasDevice: true)
    }

    private func withoutServers(_ server: VirtualServer) -> VirtualServer {
        var copy = server
        copy.realServers = [:]
        return copy
    }

    @Test(arguments: Transport.allCases) func `that is there as it is wanted is left alone`(transport: Transport) {
        #expect(plan(state(server(transport)), state(server(transport))) == [])
    }

    @Test(arguments: Transport.allCases) func `with other flags or another timeout is edited in place`(transport: Transport) {
        var wanted = server(transport)
        (wanted.flags, wanted.timeout) = (.persistent, 10800)
        #expect(plan(state(server(transport)), state(wanted)) == [.editVirtualServer(withoutServers(wanted))])
        #expect(plan(state(wanted), state(server(transport))) == [.editVirtualServer(withoutServers(server(transport)))])
        var longer = wanted
        longer.timeout = 20000
        #expect(plan(state(wanted), state(longer)) == [.editVirtualServer(withoutServers(longer))])
    }

    @Test(arguments: Transport.allCases) func `with another scheduler is edited in place`(transport: Transport) throws {
        var wanted = server(transport)
        wanted.scheduler = try #require(Scheduler("wlc"))
        #expect(plan(state(server(transport)), state(wanted)) == [.editVirtualServer(withoutServers(wanted))])
    }

    /// UDP flows from before the virtual server was there lead past it.
    private func forgettingFlows(of server: VirtualServer) -> [Operation] {
        server.identity.transport == .udp ? [.flushConntrack(server.identity, except: Set(server.realServers.keys))] : []
    }

    @Test(arguments: Transport.allCases) func `that is missing is made and bound`(transport: Transport) {
        let wanted = server(transport)
        #expect(
            plan(state(nil, isBound: false), state(wanted)) == [
                .addVirtualServer(withoutServers(wanted)), .addRealServer(wanted.identity, realServer(1)), .bind(address, nil),
            ] + forgettingFlows(of: wanted))
    }

    @Test(arguments: Transport.allCases) func `whose address is bound already is made without binding it`(transport: Transport) {
        let wanted = server(transport)
        #expect(
            plan(state(nil), state(wanted)) == [
                .addVirtualServer(withoutServers(wanted)), .addRealServer(wanted.identity, realServer(1)),
            ] + forgettingFlows(of: wanted))
    }

    @Test func `that lost its weight while no proxy ran gets it back`() {
        var left = server(.tcp)
        left.realServers = [realServer(1).location: realServer(1, weight: 0)]
        #expect(plan(state(left), state(server(.tcp))) == [.editRealServer(left.identity, realServer(1))])
    }

    @Test func `that goes takes its real servers along, with no drain of its own`() {
        #expect(plan(state(server(.tcp)), NodeState(hasDevice: true)) == [.unbind(address), .deleteVirtualServer(server(.tcp).identity)])
    }
}
