internal import CNetlink
internal import Glibc
internal import Model
internal import Netlink
internal import SystemPackage

/// The kernel's connection tracking, through nfnetlink.
struct ConntrackClient: ~Copyable {
    private let socket: NetlinkSocket
    /// Whether the kernel has `nf_conntrack_netlink`.
    let isSupported: Bool

    /// The maximum number of virtual servers with a dump each; for more, one dump for all of them takes less time.
    private static let maximumSeparateDumps = 8
    /// The maximum number of entries in memory (some ten megabytes); the next round finds the rest.
    private static let entriesPerRound = 1 << 16
    /// Limits the time if new entries arrive faster than they are deleted.
    private static let maximumRounds = 16

    /// Opens a socket and sends a request, which loads the module.
    init() throws(DataplaneError) {
        do {
            let socket = try NetlinkSocket.open(.netfilter)
            isSupported = try ConntrackClient.isSupported(socket)
            self.socket = socket
        } catch {
            throw DataplaneError("conntrack", error)
        }
    }

    /// For a missing subsystem, the kernel returns EINVAL (`nfnetlink_rcv_msg`, net/netfilter/nfnetlink.c).
    private static func isSupported(_ socket: borrowing NetlinkSocket) throws(NetlinkError) -> Bool {
        do throws(NetlinkError) {
            _ = try socket.request(try ConntrackMessages.count())
            return true
        } catch  where error.code == .kernel(.invalidArgument) {
            return false
        }
    }

    /// Deletes the UDP conntrack entries for these destinations, except those with replies from one of the destination's listed real servers.
    ///
    /// - Parameter family: the family of all destinations.
    borrowing func flush(_ servers: [AddressPort: Set<AddressPort>], _ family: IPFamily) -> ConntrackFlushOutcome {
        var outcome = ConntrackFlushOutcome()
        guard servers.count <= ConntrackClient.maximumSeparateDumps else {
            flush(servers, family, .transport(.udp), &outcome)
            return outcome
        }
        for (location, kept) in servers { flush([location: kept], family, .destination(.udp, location), &outcome) }
        return outcome
    }

    private borrowing func flush(
        _ servers: [AddressPort: Set<AddressPort>], _ family: IPFamily, _ filter: ConntrackMessages.Filter,
        _ outcome: inout ConntrackFlushOutcome
    ) {
        do throws(NetlinkError) {
            for _ in 0..<ConntrackClient.maximumRounds {
                let flows = try staleFlows(servers, family, filter)
                try delete(flows, &outcome)
                if flows.count < ConntrackClient.entriesPerRound { return }
            }
            throw NetlinkError(.interrupted, detail: "new conntrack entries keep arriving")
        } catch {
            for location in servers.keys { outcome.failures[location] = error }
        }
    }

    /// The entries to delete, up to `entriesPerRound`. Filters the dump again, as not every kernel filters it.
    private borrowing func staleFlows(
        _ servers: [AddressPort: Set<AddressPort>], _ family: IPFamily, _ filter: ConntrackMessages.Filter
    ) throws(NetlinkError) -> [ConntrackFlow] {
        func staleFlow(_ reply: NetlinkReply) -> ConntrackFlow? {
            guard let flow = ConntrackFlow(reply), flow.family == family, flow.transport == .udp, let kept = servers[flow.destination],
                !kept.contains(flow.replySource)
            else { return nil }
            return flow
        }
        do throws(NetlinkError) {
            return try socket.request(
                try ConntrackMessages.dump(family, filter), keepingAtMost: ConntrackClient.entriesPerRound, staleFlow)
        } catch  where error.code == .kernel(Errno(rawValue: EOPNOTSUPP)) {
            // The kernel supports filters, but not this one.
            return try socket.request(
                try ConntrackMessages.dump(family, .none), keepingAtMost: ConntrackClient.entriesPerRound, staleFlow)
        }
    }

    private borrowing func delete(_ flows: [ConntrackFlow], _ outcome: inout ConntrackFlushOutcome) throws(NetlinkError) {
        guard !flows.isEmpty else { return }
        var batch = NetlinkBatch()
        for flow in flows { try batch.add(try ConntrackMessages.delete(flow)) }
        let failures = socket.execute(batch)
        outcome.deleted += flows.count - failures.count
        // ENOENT: the entry has expired, or was deleted by others.
        for (index, error) in failures where error.code != .kernel(.noSuchFileOrDirectory) {
            outcome.failures[flows[index].destination] = error
        }
    }
}

/// The outcome of a conntrack flush.
struct ConntrackFlushOutcome {
    /// The number of deleted entries.
    var deleted = 0
    /// By the address and port of the virtual server; all stale entries of the others are deleted.
    var failures: [AddressPort: NetlinkError] = [:]
}
