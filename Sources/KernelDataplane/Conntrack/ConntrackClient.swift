internal import CNetlink
internal import Glibc
internal import Model
internal import Netlink
internal import SystemPackage

/// The kernel's connection tracking, by nfnetlink.
struct ConntrackClient: ~Copyable {
    private let socket: NetlinkSocket
    /// Whether this kernel can be asked: it has `nf_conntrack_netlink`.
    let isSupported: Bool
    /// Whether it filters what it tells; one that does not tells all of it for each question.
    private let filters: Bool

    /// Dumps for one virtual server each up to here; from here on one dump for all of them takes less time.
    private static let separateDumps = 8
    /// So many flows are held in memory at once (some ten megabytes); others are found when these are gone.
    private static let flowsAtOnce = 1 << 16
    /// Flows that come faster than they are deleted must not hold up everything else.
    private static let rounds = 16

    /// Opens a socket and asks for something, which loads the module.
    init() throws(DataplaneError) {
        let version = try KernelVersion.current()
        do {
            let socket = try NetlinkSocket.open(.netfilter)
            isSupported = try ConntrackClient.answers(socket)
            filters = version >= KernelVersion(5, 8)
            self.socket = socket
        } catch {
            throw DataplaneError("conntrack", error)
        }
    }

    /// Of a subsystem that it does not have the kernel says EINVAL (`nfnetlink_rcv_msg`, net/netfilter/nfnetlink.c).
    private static func answers(_ socket: borrowing NetlinkSocket) throws(NetlinkError) -> Bool {
        do throws(NetlinkError) {
            _ = try socket.request(try ConntrackMessages.count())
            return true
        } catch  where error.code == .kernel(.invalidArgument) {
            return false
        }
    }

    /// Deletes the UDP flows to these addresses and ports, but for those that one of the real servers named beside them answers.
    ///
    /// - Parameter family: that of all of the addresses.
    borrowing func forget(_ servers: [AddressPort: Set<AddressPort>], _ family: IPFamily) -> ConntrackFlushOutcome {
        var outcome = ConntrackFlushOutcome()
        guard filters, servers.count <= ConntrackClient.separateDumps else {
            forget(servers, family, .transport(.udp), &outcome)
            return outcome
        }
        for (location, kept) in servers { forget([location: kept], family, .destination(.udp, location), &outcome) }
        return outcome
    }

    private borrowing func forget(
        _ servers: [AddressPort: Set<AddressPort>], _ family: IPFamily, _ filter: ConntrackMessages.Filter,
        _ outcome: inout ConntrackFlushOutcome
    ) {
        do throws(NetlinkError) {
            for _ in 0..<ConntrackClient.rounds {
                let flows = try staleFlows(servers, family, filter)
                try delete(flows, &outcome)
                if flows.count < ConntrackClient.flowsAtOnce { return }
            }
            throw NetlinkError(.interrupted, detail: "new conntrack entries keep arriving")
        } catch {
            for location in servers.keys { outcome.failures[location] = error }
        }
    }

    /// Flows that are to go, as many as may be held at once. What the kernel filtered is looked at again: not every kernel does.
    private borrowing func staleFlows(
        _ servers: [AddressPort: Set<AddressPort>], _ family: IPFamily, _ filter: ConntrackMessages.Filter
    ) throws(NetlinkError) -> [ConntrackFlow] {
        func staleFlow(_ reply: NetlinkReply) -> ConntrackFlow? {
            guard let flow = ConntrackFlow(reply), flow.family == family, flow.transport == .udp, let kept = servers[flow.destination],
                !kept.contains(flow.answerer)
            else { return nil }
            return flow
        }
        do throws(NetlinkError) {
            return try socket.request(
                try ConntrackMessages.dump(family, filter), keepingAtMost: ConntrackClient.flowsAtOnce, staleFlow)
        } catch  where error.code == .kernel(Errno(rawValue: EOPNOTSUPP)) {
            // A kernel that knows filters, but not this one.
            return try socket.request(
                try ConntrackMessages.dump(family, .none), keepingAtMost: ConntrackClient.flowsAtOnce, staleFlow)
        }
    }

    private borrowing func delete(_ flows: [ConntrackFlow], _ outcome: inout ConntrackFlushOutcome) throws(NetlinkError) {
        guard !flows.isEmpty else { return }
        var batch = NetlinkBatch()
        for flow in flows { try batch.add(try ConntrackMessages.delete(flow)) }
        let failures = socket.execute(batch)
        outcome.forgotten += flows.count - failures.count
        // One that ended by itself is gone as well.
        for (index, error) in failures where error.code != .kernel(.noSuchFileOrDirectory) {
            outcome.failures[flows[index].destination] = error
        }
    }
}

/// What became of flows that were to be forgotten.
struct ConntrackFlushOutcome {
    var forgotten = 0
    /// By the address and port of the virtual server; those that are not named here have no such flow left.
    var failures: [AddressPort: NetlinkError] = [:]
}
