internal import CNetlink
internal import Glibc
internal import SystemPackage

/// A netlink socket: sends requests and waits for the kernel's answers, which it gives inside the system call.
///
/// Blocking, so it belongs on an executor of its own. Every answer is matched by sequence number: an answer that came too late for a request that timed
/// out is passed over. Every wait has a limit.
@safe
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

    let handle: OpaquePointer

    /// One send is at most this long; the kernel copies it as one piece.
    private static let chunkBytes = 64 * 1024
    /// Errors of this many messages fit the receive buffer.
    private static let chunkMessages = 1024
    /// A dump that the table's changes interrupt is read again this often.
    private static let dumpAttempts = 10

    /// Opens a socket. Answers that take longer than `timeLimit` (whole seconds) are errors.
    public static func open(_ family: Family, timeLimit: Int = 10) throws(NetlinkError) -> NetlinkSocket {
        guard let handle = unsafe nl_socket_alloc() else { throw NetlinkError(.library(NLE_NOMEM)) }
        let socket = unsafe NetlinkSocket(handle)
        try socket.connect(family, timeLimit: timeLimit)
        return socket
    }

    private init(_ handle: OpaquePointer) { unsafe self.handle = handle }

    private borrowing func connect(_ family: Family, timeLimit: Int) throws(NetlinkError) {
        unsafe nl_socket_disable_auto_ack(handle)
        unsafe nl_socket_disable_msg_peek(handle)
        try NetlinkSocket.check(unsafe nl_connect(handle, family.number))
        // The kernel sizes the pages of a dump by the largest buffer it has seen, up to 32 KiB (netlink_recvmsg, af_netlink.c).
        try NetlinkSocket.check(unsafe nl_socket_set_msg_buf_size(handle, 32 * 1024))
        try NetlinkSocket.check(unsafe nl_socket_set_buffer_size(handle, 4 << 20, 1 << 20))
        let descriptor = unsafe nl_socket_get_fd(handle)
        var limit = timeval(tv_sec: timeLimit, tv_usec: 0)
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        // Beyond the system's limit, where we may: a batch's worth of errors must fit.
        var receiveBytes: Int32 = 8 << 20
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &receiveBytes, socklen_t(MemoryLayout<Int32>.size))
        // Old kernels lack some of these; without them only texts and speed are lost.
        for option in [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK] {
            var on: Int32 = 1
            _ = unsafe setsockopt(descriptor, SOL_NETLINK, Int32(option), &on, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    deinit { unsafe nl_socket_free(handle) }

    /// The number of a generic netlink family, such as `IPVS`; the kernel loads the module that has it where it can.
    ///
    /// Fails with `.kernel(.noSuchFileOrDirectory)` where there is none. `genl_ctrl_resolve` of libnl says that of every failure, so it is not used here.
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

    /// Sends all requests of a batch and returns those that failed, by their place in it.
    ///
    /// One failing request does not stop the rest. Where an answer is lost (`.overrun`, `.timedOut`), every request that it could concern is
    /// reported as failed, though some may have been carried out: look at the kernel before trying again.
    public borrowing func execute(_ batch: NetlinkBatch) -> [Int: NetlinkError] {
        var failures: [Int: NetlinkError] = [:]
        for chunk in batch.chunks(byteLimit: NetlinkSocket.chunkBytes, countLimit: NetlinkSocket.chunkMessages) {
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
        try send(batch.bytes(of: chunk, numberedFrom: first))
        while true {
            for reply in NetlinkReplies(try receive()) where reply.header.type == UInt16(NLMSG_ERROR) {
                let place = reply.header.sequence &- first
                guard place < UInt32(chunk.count) else { continue }
                guard let acknowledgement = NetlinkAcknowledgement(reply) else { throw NetlinkError(.malformed) }
                if let error = acknowledgement.error { failures[chunk.lowerBound + Int(place)] = error }
                if reply.header.sequence == last { return }
            }
        }
    }

    /// Sends one request and returns the messages that answer it; `NLM_F_DUMP` requests until the end of the dump.
    ///
    /// A dump that the kernel says was interrupted is begun again, a bounded number of times.
    public borrowing func request(_ message: borrowing NetlinkMessage) throws(NetlinkError) -> [NetlinkReply] {
        try request(message, keepingAtMost: .max) { $0 }
    }

    /// Sends one request and returns what `keep` makes of the messages that answer it: what it passes over takes no memory, nor does what comes after the first `limit`.
    public borrowing func request<Kept>(
        _ message: borrowing NetlinkMessage, keepingAtMost limit: Int, _ keep: (NetlinkReply) -> Kept?
    ) throws(NetlinkError) -> [Kept] {
        var batch = NetlinkBatch()
        try batch.add(message)
        for _ in 0..<NetlinkSocket.dumpAttempts {
            if let kept = try requestOnce(batch, limit, keep) { return kept }
        }
        throw NetlinkError(.interrupted)
    }

    /// Nil where the dump was interrupted.
    private borrowing func requestOnce<Kept>(
        _ batch: NetlinkBatch, _ limit: Int, _ keep: (NetlinkReply) -> Kept?
    ) throws(NetlinkError) -> [Kept]? {
        let sequence = takeSequenceNumbers(1)
        try send(batch.bytes(of: 0..<1, numberedFrom: sequence))
        var kept: [Kept] = []
        var interrupted = false
        while true {
            for reply in NetlinkReplies(try receive()) where reply.header.sequence == sequence {
                interrupted = interrupted || reply.header.flags & UInt16(NLM_F_DUMP_INTR) != 0
                switch Int32(reply.header.type) {
                case NLMSG_ERROR, NLMSG_DONE:
                    // A dump that ends in an error says so in its DONE.
                    if let error = NetlinkAcknowledgement(reply)?.error { throw error }
                    return interrupted ? nil : kept
                case NLMSG_NOOP, NLMSG_OVERRUN:
                    continue
                default:
                    if kept.count < limit, let value = keep(reply) { kept.append(value) }
                }
            }
        }
    }

    borrowing func takeSequenceNumbers(_ count: Int) -> UInt32 {
        let first = unsafe nl_socket_use_seq(handle)
        for _ in 1..<max(count, 1) { _ = unsafe nl_socket_use_seq(handle) }
        return first
    }

    borrowing func send(_ bytes: [UInt8]) throws(NetlinkError) {
        var bytes = bytes
        let status = unsafe bytes.withUnsafeMutableBytes { unsafe nl_sendto(handle, $0.baseAddress, $0.count) }
        try NetlinkSocket.check(status)
    }

    borrowing func receive() throws(NetlinkError) -> [UInt8] {
        var sender = sockaddr_nl()
        var buffer: UnsafeMutablePointer<UInt8>? = nil
        let count = unsafe nl_recv(handle, &sender, &buffer, nil)
        defer { unsafe free(buffer) }
        guard count > 0, let start = unsafe buffer else {
            throw count == 0 ? NetlinkError(.timedOut) : NetlinkSocket.error(count)
        }
        // Any process may write to our port; only the kernel's word counts.
        guard sender.nl_pid == 0 else { return [] }
        return unsafe Array(UnsafeBufferPointer(start: start, count: Int(count)))
    }

    static func check(_ status: Int32) throws(NetlinkError) {
        if status < 0 { throw error(status) }
    }

    /// libnl's own number for a failed socket call.
    private static func error(_ status: Int32) -> NetlinkError {
        switch -status {
        case NLE_AGAIN: NetlinkError(.timedOut)
        case NLE_NOMEM: NetlinkError(.overrun)
        default: NetlinkError(.library(-status), detail: unsafe String(cString: nl_geterror(status)))
        }
    }
}
