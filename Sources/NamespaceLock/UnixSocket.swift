internal import Glibc
internal import SystemPackage

/// A stream socket with a name that is no file but belongs to the network namespace (`man 7 unix`, abstract sockets).
///
/// Children do not inherit it, so that it ends with its process.
struct UnixSocket: ~Copyable {
    let descriptor: Int32

    init() throws(Errno) {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Takes the name, and accepts connections.
    func listen(_ name: String, backlog: Int32) throws(Errno) {
        try bind(name)
        try UnixSocket.check(Glibc.listen(descriptor, backlog))
    }

    func bind(_ name: String) throws(Errno) {
        try UnixSocket.check(unsafe UnixSocket.withAddress(name) { unsafe Glibc.bind(descriptor, $0, $1) })
    }

    /// Connects, or fails with `wouldBlock` if the listener has not accepted others for that time.
    func connect(_ name: String, timeout: Duration) throws(Errno) {
        // It also limits how long connecting waits for room in the queue of the listener (net/unix/af_unix.c, unix_wait_for_peer).
        var limit = timeval(tv_sec: Int(timeout.components.seconds), tv_usec: Int(timeout.components.attoseconds / 1_000_000_000_000))
        try UnixSocket.check(
            unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size)))
        try UnixSocket.check(unsafe UnixSocket.withAddress(name) { unsafe Glibc.connect(descriptor, $0, $1) })
    }

    /// Gives up the descriptor without closing it.
    consuming func release() -> Int32 {
        let descriptor = descriptor
        discard self
        return descriptor
    }

    private static func check(_ result: Int32) throws(Errno) {
        guard result == 0 else { throw Errno(rawValue: errno) }
    }

    /// The length of the address ends the name: it begins with a zero byte and is not terminated.
    private static func withAddress(_ name: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(name.utf8.prefix(100))
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0[1...].copyBytes(from: bytes) }
        let length = MemoryLayout<sockaddr_un>.offset(of: \.sun_path).map { $0 + 1 + bytes.count } ?? 0
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, socklen_t(length)) }
        }
    }
}

/// `struct ucred`, which the C library only declares with GNU extensions: the process at the other end of a connection when it connected or
/// began to listen.
struct PeerCredentials {
    /// 0 if the process is not in the pid namespace of this one.
    var pid: Int32 = 0
    var user: UInt32 = 0
    var group: UInt32 = 0

    init?(of descriptor: Int32) {
        var length = socklen_t(MemoryLayout<PeerCredentials>.size)
        guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &self, &length) == 0 else { return nil }
    }

    /// Whether root runs the process, or the same user as this one, which is root for every instance that can serve.
    var isTrusted: Bool { user == 0 || user == geteuid() }
}
