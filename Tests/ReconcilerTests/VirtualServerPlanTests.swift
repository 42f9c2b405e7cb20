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

/// Plans for a virtual server in the kernel and a desired one.
@Suite struct `A virtual server in a plan` {
    private func server(_ transport: Transport) -> VirtualServer {
        VirtualServer(.init(transport, AddressPort(address, 80)), realServers: [realServer(1)])
    }

    private func state(_ server: VirtualServer?, isBound: Bool = true) -> NodeState {
        NodeState(virtualServers: [server].compactMap(\.self), addresses: isBound ? [address: nil] : [:], hasDevice: true)
    }

    private func withoutServers(_ server: VirtualServer) -> VirtualServer {
        var copy = server
        copy.realServers = []
        return copy
    }

    @Test(arguments: Transport.allCases) func `that already matches is left unchanged`(transport: Transport) {
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

    /// UDP conntrack entries from before the virtual server existed bypass it.
    private func conntrackFlush(of server: VirtualServer) -> [Operation] {
        server.identity.transport == .udp ? [.flushConntrack(server.identity, except: Set(server.realServers.locations))] : []
    }

    @Test(arguments: Transport.allCases) func `that is missing is added and its address bound`(transport: Transport) {
        let wanted = server(transport)
        #expect(
            plan(state(nil, isBound: false), state(wanted)) == [
                .addVirtualServer(withoutServers(wanted)), .addRealServer(wanted.identity, realServer(1)), .bind(address, nil),
            ] + conntrackFlush(of: wanted))
    }

    @Test(arguments: Transport.allCases) func `whose address is already bound is added without binding it again`(transport: Transport) {
        let wanted = server(transport)
        #expect(
            plan(state(nil), state(wanted)) == [
                .addVirtualServer(withoutServers(wanted)), .addRealServer(wanted.identity, realServer(1)),
            ] + conntrackFlush(of: wanted))
    }

    @Test func `whose real server lost its weight while no proxy ran gets it restored`() {
        var left = server(.tcp)
        left.realServers = [realServer(1, weight: 0)]
        #expect(plan(state(left), state(server(.tcp))) == [.editRealServer(left.identity, realServer(1))])
    }

    @Test func `that is removed is deleted with its real servers, without draining`() {
        #expect(plan(state(server(.tcp)), NodeState(hasDevice: true)) == [.unbind(address), .deleteVirtualServer(server(.tcp).identity)])
    }
}
