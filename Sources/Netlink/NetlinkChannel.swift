internal import CNetlink
internal import Glibc
internal import SystemPackage

/// The kernel's end of a socket: takes requests and returns datagrams. Tests replace it.
protocol NetlinkChannel: AnyObject {
    /// Readable when a datagram or a socket error is pending.
    var descriptor: Int32 { get }
    func send(_ bytes: [UInt8]) throws(NetlinkError)
    /// Waits for the next datagram; fails with the errno of `recvfrom`.
    func receive() throws(Errno) -> NetlinkDatagram
}

/// A datagram received by one system call.
struct NetlinkDatagram {
    var bytes: [UInt8]
    /// The port that sent it (`nl_pid`): 0 is the kernel.
    var sender: UInt32 = 0
}

/// A netlink socket of libnl.
@safe
final class KernelChannel: NetlinkChannel {
    private let handle: OpaquePointer
    /// For all datagrams that fit. The kernel sizes the parts of a dump by the largest buffer used so far, up to 32 KiB
    /// (`netlink_recvmsg`, net/netlink/af_netlink.c); a reply in one piece may be longer.
    private var buffer = [UInt8](repeating: 0, count: 32 * 1024)

    /// - Parameters:
    ///   - family: `NETLINK_*`.
    ///   - timeLimit: in seconds; `receive` fails with `EAGAIN` after it.
    init(_ family: Int32, timeLimit: Int) throws(NetlinkError) {
        guard let handle = unsafe nl_socket_alloc() else { throw NetlinkError(.library(NLE_NOMEM)) }
        unsafe self.handle = handle
        try KernelChannel.check(unsafe nl_connect(handle, family))
        try KernelChannel.check(unsafe nl_socket_set_buffer_size(handle, 4 << 20, 1 << 20))
        var limit = timeval(tv_sec: timeLimit, tv_usec: 0)
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        // Exceeds the system's limit if permitted: the errors of a complete batch must fit.
        var receiveBytes: Int32 = 8 << 20
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &receiveBytes, socklen_t(MemoryLayout<Int32>.size))
        // Old kernels lack some of these; only error texts and speed depend on them.
        for option in [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK] {
            var on: Int32 = 1
            _ = unsafe setsockopt(descriptor, SOL_NETLINK, Int32(option), &on, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    deinit { unsafe nl_socket_free(handle) }

    var descriptor: Int32 { unsafe nl_socket_get_fd(handle) }

    func send(_ bytes: [UInt8]) throws(NetlinkError) {
        var bytes = bytes
        let status = unsafe bytes.withUnsafeMutableBytes { unsafe nl_sendto(handle, $0.baseAddress, $0.count) }
        try KernelChannel.check(status)
    }

    func receive() throws(Errno) -> NetlinkDatagram {
        let length = try waitForDatagram()
        guard length > buffer.count else { return try receive(into: &buffer) }
        // Rare, and limited by the socket's receive buffer, so the memory is not kept.
        var long = [UInt8](repeating: 0, count: length)
        return try receive(into: &long)
    }

    /// Waits for the next datagram, which stays in the queue, and returns its length in bytes.
    private func waitForDatagram() throws(Errno) -> Int {
        let descriptor = descriptor
        var length = -1
        repeat { length = recv(descriptor, nil, 0, Int32(MSG_PEEK) | Int32(MSG_TRUNC)) } while length < 0 && errno == EINTR
        guard length >= 0 else { throw Errno(rawValue: errno) }
        return length
    }

    private func receive(into buffer: inout [UInt8]) throws(Errno) -> NetlinkDatagram {
        let descriptor = descriptor
        var sender = sockaddr_nl()
        var count = -1
        repeat {
            count = unsafe withUnsafeMutableBytes(of: &sender) { sender in
                var size = socklen_t(sender.count)
                return unsafe buffer.withUnsafeMutableBytes {
                    unsafe recvfrom(
                        descriptor, $0.baseAddress, $0.count, 0, sender.baseAddress?.assumingMemoryBound(to: sockaddr.self), &size)
                }
            }
        } while count < 0 && errno == EINTR
        guard count >= 0 else { throw Errno(rawValue: errno) }
        return NetlinkDatagram(bytes: Array(buffer.prefix(count)), sender: sender.nl_pid)
    }

    private static func check(_ status: Int32) throws(NetlinkError) {
        guard status < 0 else { return }
        throw NetlinkError(.library(-status), detail: unsafe String(cString: nl_geterror(status)))
    }
}
