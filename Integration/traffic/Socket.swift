import Glibc

/// The reason of a failed request, as shown in the summary.
struct Failure: Error, CustomStringConvertible {
    let description: String

    static let timedOut = Failure(description: "timed out")
    static let wrongAnswer = Failure(description: "wrong answer")
    static let closed = Failure(description: "closed without an answer")

    private init(description: String) {
        self.description = description
    }

    init(errno code: Int32) {
        switch code {
        case ECONNREFUSED: description = "connection refused"
        case ETIMEDOUT: description = "timed out"
        case ECONNRESET, EPIPE: description = "reset"
        case EHOSTUNREACH, ENETUNREACH: description = "no route"
        default: description = String(cString: strerror(code)).lowercased()
        }
    }
}

/// A non-blocking socket that is closed when it is released.
final class Socket {
    let descriptor: Int32

    init(_ transport: Transport, family: Int32) throws(Failure) {
        let type = transport == .udp ? SOCK_DGRAM : SOCK_STREAM
        let number = transport == .sctp ? Int32(IPPROTO_SCTP) : 0
        descriptor = socket(family, Int32(type.rawValue) | Socket.flags, number)
        if descriptor < 0 { throw Failure(errno: errno) }
    }

    /// Creates a Unix socket that accepts connections.
    init(listeningAt path: String) throws(Failure) {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Socket.flags, 0)
        if descriptor < 0 { throw Failure(errno: errno) }
        guard let address = SocketAddress(path: path) else { throw Failure(errno: ENAMETOOLONG) }
        unlink(path)
        try bind(to: address)
        try listen()
    }

    private init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }

    private static let flags = Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    static let sendFlags = Int32(MSG_NOSIGNAL)

    func bind(to address: SocketAddress) throws(Failure) {
        try check(address.withPointer { Glibc.bind(descriptor, $0, $1) })
    }

    func listen() throws(Failure) {
        try check(Glibc.listen(descriptor, 1024))
    }

    /// Starts to connect; a failure is reported by `pendingError`, `send` or `receive`.
    func connect(to address: SocketAddress) throws(Failure) {
        let status = address.withPointer { Glibc.connect(descriptor, $0, $1) }
        if status != 0 && errno != EINPROGRESS { throw Failure(errno: errno) }
    }

    func set(_ option: Int32, _ value: Int32, level: Int32 = SOL_SOCKET) throws(Failure) {
        var value = value
        try check(setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size)))
    }

    var pendingError: Failure? {
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0, code != 0 else { return nil }
        return Failure(errno: code)
    }

    /// Accepts the next pending connection, if any.
    func accept() -> (Socket, SocketAddress)? {
        let (accepted, peer) = SocketAddress.filled { Glibc.accept(descriptor, $0, $1) }
        guard accepted >= 0 else { return nil }
        let socket = Socket(descriptor: accepted)
        guard fcntl(accepted, F_SETFL, O_NONBLOCK) == 0 else { return nil }
        return (socket, peer)
    }

    /// Returns the number of bytes sent, or nil if none can be sent now.
    func send(_ bytes: ArraySlice<UInt8>) throws(Failure) -> Int? {
        try amount(bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Socket.sendFlags) })
    }

    /// Returns received data, empty at the end of the stream, or nil if there is none yet.
    func receive() throws(Failure) -> [UInt8]? {
        let (received, bytes) = Socket.filled { recv(descriptor, $0.baseAddress, $0.count, 0) }
        return try amount(received).map { _ in bytes }
    }

    static func filled(by body: (UnsafeMutableBufferPointer<UInt8>) -> Int) -> (result: Int, bytes: [UInt8]) {
        var result = 0
        // The maximum size of a datagram.
        let bytes = [UInt8](unsafeUninitializedCapacity: 65536) { buffer, count in
            result = body(buffer)
            count = max(0, result)
        }
        return (result, bytes)
    }

    func amount(_ result: Int) throws(Failure) -> Int? {
        if result >= 0 { return result }
        if errno == EAGAIN || errno == EINTR { return nil }
        throw Failure(errno: errno)
    }

    private func check(_ status: Int32) throws(Failure) {
        if status != 0 { throw Failure(errno: errno) }
    }
}

/// Waits for the requested events or until the given time; returns the events that occurred, in the same order.
func waitForEvents(
    _ interests: [(descriptor: Int32, events: Int16)], until moment: ContinuousClock.Instant?
) -> [Int16] {
    var descriptors = interests.map { pollfd(fd: $0.descriptor, events: $0.events, revents: 0) }
    let ready = poll(&descriptors, nfds_t(descriptors.count), moment.map(millisecondsUntil) ?? -1)
    return ready > 0 ? descriptors.map(\.revents) : descriptors.map { _ in 0 }
}

/// Rounds up, because waking early would mean waking twice.
private func millisecondsUntil(_ moment: ContinuousClock.Instant) -> Int32 {
    let left = max(.zero, ContinuousClock.now.duration(to: moment))
    return Int32(clamping: (left + .microseconds(999)).milliseconds)
}

extension Duration {
    var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
