internal import CNetlink
internal import Glibc
internal import Synchronization
public import SystemCalls
internal import SystemPackage

/// A netlink socket: sends requests and receives the kernel's replies, which the kernel sends during the system call.
///
/// It blocks, so it needs an executor of its own. Replies are matched by sequence number: a late reply to a request that timed out is
/// ignored. Every wait has a time limit.
public struct NetlinkSocket: ~Copyable {
    public enum Family: Sendable {
        case generic, route, netfilter

        var number: Int32 {
            switch self {
            case .generic: NETLINK_GENERIC
            case .route: NETLINK_ROUTE
            case .netfilter: NETLINK_NETFILTER
            }
        }
    }

    let channel: any NetlinkChannel
    private let nextSequence = Atomic<UInt32>(1)

    /// The maximum number of attempts for a dump that is interrupted by changes of the table.
    static let dumpAttempts = 10
    /// The maximum number of attempts for a request to read that fails temporarily. An observation consists of many requests, and is repeated as
    /// a whole.
    static let readAttempts = 3

    /// Opens a socket. Replies that take longer than `timeLimit` (in seconds) are errors.
    ///
    /// - Parameter sendBytes: the requested size of the send buffer, which limits a transaction; without CAP_NET_ADMIN on the host, the sysctl
    ///   net.core.wmem_max limits it.
    public static func open(_ family: Family, timeLimit: Int = 10, sendBytes: Int32 = 1 << 17) throws(NetlinkError) -> NetlinkSocket {
        NetlinkSocket(try KernelChannel(family.number, timeLimit: timeLimit, sendBytes: sendBytes))
    }

    init(_ channel: any NetlinkChannel) { self.channel = channel }

    /// Whether the kernel checks requests to read strictly, and filters dumps by their headers and attributes (since 4.20).
    public var filtersDumps: Bool { channel.filtersDumps }

    /// The number of a generic netlink family, such as `IPVS`; the kernel loads its module if possible.
    ///
    /// Fails with `.kernel(.noSuchFileOrDirectory)` if there is none. libnl's `genl_ctrl_resolve` returns that for every failure, so it is
    /// not used here.
    public borrowing func resolveFamily(_ name: String) throws(NetlinkError) -> UInt16 {
        var message = try NetlinkMessage(type: UInt16(GENL_ID_CTRL), flags: UInt16(NLM_F_ACK))
        message.putHeader(genlmsghdr(cmd: UInt8(CTRL_CMD_GETFAMILY), version: 1, reserved: 0))
        message.put(Int(CTRL_ATTR_FAMILY_NAME), string: name)
        do throws(NetlinkError) {
            let number = try request(message).lazy
                .flatMap { NetlinkAttributes($0.payload.dropFirst(MemoryLayout<genlmsghdr>.size)) }
                .first { $0.type == UInt16(CTRL_ATTR_FAMILY_ID) }?.u16
            guard let number else { throw NetlinkError(.malformed) }
            return number
        } catch {
            throw NetlinkError(error.code, detail: error.detail ?? "generic netlink family \(name)")
        }
    }

    /// Sends all requests of a batch and returns the errors of those that failed, by index.
    ///
    /// A failed request does not stop the others. If a reply is lost (`.overrun`, `.timedOut`), every request that it may concern is
    /// reported as failed, although some may have succeeded: read the kernel state before retrying.
    public borrowing func execute(_ batch: NetlinkBatch) -> [Int: NetlinkError] {
        var failures: [Int: NetlinkError] = [:]
        for chunk in batch.chunks(channel.buffers) {
            do throws(NetlinkError) {
                try execute(batch, chunk, &failures)
            } catch {
                for index in chunk where failures[index] == nil { failures[index] = error }
            }
        }
        return failures
    }

    private borrowing func execute(_ batch: NetlinkBatch, _ chunk: Range<Int>, _ failures: inout [Int: NetlinkError]) throws(NetlinkError) {
        let first = takeSequenceNumbers(chunk.count)
        let last = first &+ UInt32(chunk.count - 1)
        try channel.send(batch.bytes(of: chunk, numberedFrom: first))
        while true {
            for reply in try receive() where reply.header.type == UInt16(NLMSG_ERROR) {
                let place = reply.header.sequence &- first
                guard place < UInt32(chunk.count) else { continue }
                guard let acknowledgement = NetlinkAcknowledgement(reply) else { throw NetlinkError(.malformed) }
                if let error = acknowledgement.error { failures[chunk.lowerBound + Int(place)] = error }
                if reply.header.sequence == last { return }
            }
        }
    }

    /// Sends one request and returns the messages of the reply; for `NLM_F_DUMP`, up to the end of the dump.
    ///
    /// Restarts a dump that the kernel reports as interrupted, up to `dumpAttempts` times, and repeats a request that fails temporarily, up to
    /// `readAttempts` times: it must not change anything.
    public borrowing func request(_ message: borrowing NetlinkMessage) throws(NetlinkError) -> [NetlinkReply] {
        try request(message, keepingAtMost: .max) { $0 }
    }

    /// Sends one request and returns the non-nil results of `keep` for the messages of the reply, at most `limit`. The rest takes no
    /// memory.
    public borrowing func request<Kept>(
        _ message: borrowing NetlinkMessage, keepingAtMost limit: Int, _ keep: (NetlinkReply) -> Kept?
    ) throws(NetlinkError) -> [Kept] {
        try request(message, into: []) { kept, reply in
            if kept.count < limit, let value = keep(reply) { kept.append(value) }
        }
    }

    /// Sends one request and returns `initial` after it was updated with each message of the reply as it is received.
    ///
    /// A dump that is restarted starts with `initial` again, so that nothing is counted twice.
    public borrowing func request<Value>(
        _ message: borrowing NetlinkMessage, into initial: Value, _ update: (inout Value, NetlinkReply) -> Void
    ) throws(NetlinkError) -> Value {
        var batch = NetlinkBatch()
        try batch.add(message)
        var failures = 0
        for _ in 0..<NetlinkSocket.dumpAttempts {
            var value = initial
            do throws(NetlinkError) {
                if try requestOnce(batch, { update(&value, $0) }) { return value }
            } catch {
                if batch.isDump { endDump() }
                failures += 1
                guard error.isWorthRepeating, failures < NetlinkSocket.readAttempts else { throw error }
            }
        }
        throw NetlinkError(.interrupted)
    }

    /// - Parameter body: called with each message of the reply.
    /// - Returns: false if the dump was interrupted.
    private borrowing func requestOnce(_ batch: NetlinkBatch, _ body: (NetlinkReply) -> Void) throws(NetlinkError) -> Bool {
        let sequence = takeSequenceNumbers(1)
        try channel.send(batch.bytes(of: 0..<1, numberedFrom: sequence))
        var interrupted = false
        while true {
            for reply in try receive() where reply.header.sequence == sequence {
                interrupted = interrupted || reply.header.flags & UInt16(NLM_F_DUMP_INTR) != 0
                switch Int32(reply.header.type) {
                case NLMSG_ERROR, NLMSG_DONE:
                    // A dump that ends in an error reports it in NLMSG_DONE.
                    guard let acknowledgement = NetlinkAcknowledgement(reply) else { throw NetlinkError(.malformed) }
                    if let error = acknowledgement.error { throw error }
                    return !interrupted
                case NLMSG_NOOP, NLMSG_OVERRUN:
                    continue
                default:
                    body(reply)
                }
            }
        }
    }

    /// Receives what is left of a dump that failed, so that the kernel ends it.
    ///
    /// A socket has one dump at a time. The kernel generates the next part when one is received, and refuses another dump with EBUSY until the
    /// last one has been (`__netlink_dump_start`, `netlink_recvmsg`, net/netlink/af_netlink.c).
    private borrowing func endDump() {
        for _ in 0..<NetlinkSocket.maximumParts {
            do throws(Errno) {
                _ = try channel.receive(waiting: false)
            } catch  where error == .noBufferSpace || error == .noMemory {
                // This part was lost; the dump goes on.
                continue
            } catch {
                return
            }
        }
    }

    /// Limits the time if the kernel never ends a dump: more parts than any table has.
    private static let maximumParts = 1 << 16

    borrowing func takeSequenceNumbers(_ count: Int) -> UInt32 {
        nextSequence.wrappingAdd(UInt32(count), ordering: .relaxed).oldValue
    }

    /// The messages of the next datagram, in order; none if the kernel did not send it.
    borrowing func receive() throws(NetlinkError) -> [NetlinkReply] {
        try receive(waiting: true) ?? []
    }

    /// - Parameter waiting: if not, nil is returned unless a datagram is pending.
    borrowing func receive(waiting: Bool) throws(NetlinkError) -> [NetlinkReply]? {
        let datagram: NetlinkDatagram
        do throws(Errno) {
            datagram = try channel.receive(waiting: waiting)
        } catch  where error == .resourceTemporarilyUnavailable && !waiting {
            return nil
        } catch {
            throw switch error {
            case .resourceTemporarilyUnavailable: NetlinkError(.timedOut)
            case .noBufferSpace, .noMemory: NetlinkError(.overrun)
            default: NetlinkError(.kernel(error), detail: "recvfrom")
            }
        }
        // Any process may send to this port; only datagrams from the kernel count.
        guard datagram.sender == 0 else { return [] }
        return try NetlinkReply.all(in: datagram.bytes)
    }
}

/// Notifications of the kernel. A socket that receives them cannot be used for requests.
extension NetlinkSocket {
    /// Subscribes to a multicast group, such as `RTNLGRP_IPV4_IFADDR`.
    public borrowing func join(_ group: UInt32) throws(NetlinkError) {
        var group = group
        guard unsafe setsockopt(channel.descriptor, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, socklen_t(MemoryLayout<UInt32>.size)) == 0
        else { throw NetlinkError(.kernel(Errno(rawValue: errno)), detail: "NETLINK_ADD_MEMBERSHIP") }
    }

    /// The messages of the next datagram, in order; nil if none is pending.
    ///
    /// Fails with `.overrun` if the receive buffer overflowed: the messages that did not fit are lost, later ones are received.
    public borrowing func pendingNotifications() throws(NetlinkError) -> [NetlinkReply]? { try receive(waiting: false) }

    /// Waits until a message is pending on one of two sockets; false once the signal is raised.
    public static func waitForNotifications(
        _ first: borrowing NetlinkSocket, _ second: borrowing NetlinkSocket, until stop: StopSignal
    ) throws(NetlinkError) -> Bool {
        var descriptors = [stop.descriptor, first.channel.descriptor, second.channel.descriptor].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        while true {
            let count = unsafe poll(&descriptors, nfds_t(descriptors.count), -1)
            guard count >= 0 || errno == EINTR else { throw NetlinkError(.kernel(Errno(rawValue: errno)), detail: "poll") }
            guard count > 0 else { continue }
            // An overrun is a socket error without a datagram.
            return descriptors[0].revents == 0
        }
    }
}

extension NetlinkError {
    /// Whether a request to read is sent again at once. After a timeout, the next one could take as long again.
    fileprivate var isWorthRepeating: Bool {
        switch code {
        case .timedOut: false
        // The reply did not arrive as the kernel sent it.
        case .malformed, .kernel(.messageTooLong), .kernel(.connectionRefused): true
        default: isTemporary
        }
    }
}
