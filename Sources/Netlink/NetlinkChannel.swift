internal import CNetlink
internal import Glibc
internal import SystemPackage

/// The kernel's end of a socket: takes requests and returns datagrams. Tests replace it.
protocol NetlinkChannel: AnyObject {
    /// Readable when a datagram or a socket error is pending.
    var descriptor: Int32 { get }
    /// The port of the socket (`nl_pid`).
    var port: UInt32 { get }
    var buffers: NetlinkBuffers { get }
    /// Whether the kernel supports `NETLINK_GET_STRICT_CHK`, which is set.
    var filtersDumps: Bool { get }
    func send(_ bytes: [UInt8]) throws(NetlinkError)
    /// Waits for the next datagram; fails with the errno of `recvfrom`.
    ///
    /// - Parameter waiting: if not, it fails with `EAGAIN` at once if no datagram is pending.
    func receive(waiting: Bool) throws(Errno) -> NetlinkDatagram
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
    let buffers: NetlinkBuffers
    let filtersDumps: Bool
    /// For datagrams. Most of its pages are never touched, and so take no memory.
    private let buffer: UnsafeMutableRawBufferPointer

    /// - Parameters:
    ///   - family: `NETLINK_*`.
    ///   - timeLimit: in seconds; `receive` fails with `EAGAIN` after it.
    ///   - receiveBytes: the requested size of the receive buffer.
    ///   - sendBytes: the requested minimum size of the send buffer.
    init(_ family: Int32, timeLimit: Int, receiveBytes: Int32 = 16 << 20, sendBytes: Int32 = 1 << 17) throws(NetlinkError) {
        guard let handle = unsafe nl_socket_alloc() else { throw NetlinkError(.library(NLE_NOMEM)) }
        let status = unsafe nl_connect(handle, family)
        guard status == 0 else {
            unsafe nl_socket_free(handle)
            throw NetlinkError(.library(-status), detail: unsafe String(cString: nl_geterror(status)))
        }
        let options = unsafe SocketOptions(descriptor: nl_socket_get_fd(handle))
        do throws(NetlinkError) {
            buffers = try options.setBuffers(receiveBytes: receiveBytes, sendBytes: sendBytes)
            try options.set(SOL_SOCKET, SO_RCVTIMEO, timeval(tv_sec: timeLimit, tv_usec: 0))
            try options.set(SOL_SOCKET, SO_SNDTIMEO, timeval(tv_sec: timeLimit, tv_usec: 0))
        } catch {
            unsafe nl_socket_free(handle)
            throw error
        }
        // Old kernels lack some of these; only error texts and speed depend on them.
        filtersDumps = (try? options.set(SOL_NETLINK, Int32(NETLINK_GET_STRICT_CHK), Int32(1))) != nil
        for option in [NETLINK_EXT_ACK, NETLINK_CAP_ACK] { try? options.set(SOL_NETLINK, Int32(option), Int32(1)) }
        unsafe buffer = .allocate(byteCount: max(buffers.datagramBytes, KernelChannel.longestDatagram), alignment: 16)
        unsafe self.handle = handle
    }

    deinit {
        unsafe nl_socket_free(handle)
        unsafe buffer.deallocate()
    }

    /// In bytes. The kernel's replies are at most as long as a request or a part of a dump, 32 KiB.
    private static let longestDatagram = 1 << 20

    var descriptor: Int32 { unsafe nl_socket_get_fd(handle) }
    var port: UInt32 { unsafe nl_socket_get_local_port(handle) }

    func send(_ bytes: [UInt8]) throws(NetlinkError) {
        var count = -1
        // Without an address, the destination is the kernel.
        repeat { count = unsafe Glibc.send(descriptor, bytes, bytes.count, 0) } while count < 0 && errno == EINTR
        guard count < 0 else { return }
        let errno = Errno(rawValue: errno)
        let advice =
            ": a request of \(bytes.count) bytes exceeds the socket's send buffer of \(buffers.send) bytes, "
            + "which the sysctl net.core.wmem_max limits without CAP_NET_ADMIN on the host"
        throw NetlinkError(.kernel(errno), detail: "sendto" + (errno == .messageTooLong ? advice : ""))
    }

    func receive(waiting: Bool) throws(Errno) -> NetlinkDatagram {
        // The length of the call is the length of the next part of a dump. Usually, the kernel's own limit is sufficient; otherwise, only a
        // datagram that is longer gets more.
        var length = unsafe buffer.count
        if buffers.datagramBytes < NetlinkBuffers.longestPart {
            length = max(buffers.datagramBytes, try lengthOfDatagram(waiting: waiting))
        }
        return unsafe try receive(into: UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(length)), waiting: waiting)
    }

    /// Returns the length in bytes of the next datagram, which stays in the queue.
    private func lengthOfDatagram(waiting: Bool) throws(Errno) -> Int {
        let descriptor = descriptor
        let flags = Int32(MSG_PEEK) | Int32(MSG_TRUNC) | (waiting ? 0 : Int32(MSG_DONTWAIT))
        var length = -1
        repeat { length = recv(descriptor, nil, 0, flags) } while length < 0 && errno == EINTR
        guard length >= 0 else { throw Errno(rawValue: errno) }
        return length
    }

    private func receive(into buffer: UnsafeMutableRawBufferPointer, waiting: Bool) throws(Errno) -> NetlinkDatagram {
        let descriptor = descriptor
        let flags = Int32(MSG_TRUNC) | (waiting ? 0 : Int32(MSG_DONTWAIT))
        var sender = sockaddr_nl()
        var count = -1
        repeat {
            count = unsafe withUnsafeMutableBytes(of: &sender) { sender in
                var size = socklen_t(sender.count)
                return unsafe recvfrom(
                    descriptor, buffer.baseAddress, buffer.count, flags, sender.baseAddress?.assumingMemoryBound(to: sockaddr.self), &size)
            }
        } while count < 0 && errno == EINTR
        guard count >= 0 else { throw Errno(rawValue: errno) }
        guard count <= buffer.count else { throw .messageTooLong }
        return NetlinkDatagram(bytes: unsafe Array(buffer.prefix(count)), sender: sender.nl_pid)
    }
}

/// The options of a socket (`man 7 socket`).
private struct SocketOptions {
    var descriptor: Int32

    func set<Value: BitwiseCopyable>(_ level: Int32, _ option: Int32, _ value: Value) throws(NetlinkError) {
        var value = value
        guard unsafe setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Value>.size)) == 0 else {
            throw NetlinkError(.kernel(Errno(rawValue: errno)), detail: "setsockopt")
        }
    }

    private func size(_ option: Int32) throws(NetlinkError) -> Int32 {
        var value: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe getsockopt(descriptor, SOL_SOCKET, option, &value, &size) == 0 else {
            throw NetlinkError(.kernel(Errno(rawValue: errno)), detail: "getsockopt")
        }
        return value
    }

    /// Sets the size of the receive buffer, and enlarges the send buffer.
    func setBuffers(receiveBytes: Int32, sendBytes: Int32) throws(NetlinkError) -> NetlinkBuffers {
        try setHalf(SO_RCVBUFFORCE, SO_RCVBUF, receiveBytes / 2)
        // The memory of a message is an even number of bytes: two messages never take exactly an odd half each.
        try setHalf(SO_RCVBUFFORCE, SO_RCVBUF, (try size(SO_RCVBUF) / 2 - 1) | 1)
        if try size(SO_SNDBUF) < sendBytes { try setHalf(SO_SNDBUFFORCE, SO_SNDBUF, sendBytes / 2) }
        return NetlinkBuffers(send: Int(try size(SO_SNDBUF)), receive: Int(try size(SO_RCVBUF)))
    }

    /// - Parameter bytes: half of the size, as the kernel doubles it.
    private func setHalf(_ privileged: Int32, _ limited: Int32, _ bytes: Int32) throws(NetlinkError) {
        do throws(NetlinkError) {
            try set(SOL_SOCKET, privileged, bytes)
        } catch {
            // Requires CAP_NET_ADMIN in the initial user namespace. Without it, the limits are the sysctls net.core.rmem_max and wmem_max.
            try set(SOL_SOCKET, limited, bytes)
        }
    }
}
