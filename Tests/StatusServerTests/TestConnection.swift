import Glibc
import Synchronization
import Testing

/// A minimal HTTP client that can misbehave.
struct TestConnection: ~Copyable {
    struct Failure: Error { var errno: Int32 }

    struct Answer {
        var status: Int
        var text: String
    }

    private let socket: Int32

    /// - Parameter client: the client's own address; nil for any.
    init(_ port: UInt16, from client: UInt32? = nil) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { throw Failure(errno: errno) }
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        if let client {
            var own = TestConnection.address(0)
            own.sin_addr.s_addr = client.bigEndian
            let bound = withUnsafePointer(to: &own) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, length) } }
            guard bound == 0 else { throw Failure(errno: errno) }
        }
        var address = TestConnection.address(port)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, length) }
        }
        guard result == 0 else { throw Failure(errno: errno) }
    }

    deinit { Glibc.close(socket) }

    /// Sends text; returns false once the peer has closed the connection.
    ///
    /// It never blocks its thread: the server under test needs it.
    @discardableResult
    borrowing func send(_ text: String) async throws -> Bool {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count < 0, errno == EAGAIN {
                try await Task.sleep(for: .milliseconds(10))
                continue
            }
            guard count > 0 else { return false }
            bytes = bytes.dropFirst(count)
        }
        return true
    }

    /// Reads until the peer closes the connection.
    borrowing func readToEnd() async throws -> String {
        var text = ""
        while true {
            let part = try await readSome()
            if part.isEmpty { return text }
            text += part
        }
    }

    /// Waits for data and returns it; empty once the peer has closed the connection.
    borrowing func readSome() async throws -> String {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let deadline = ContinuousClock.now.advanced(by: .seconds(300))
        while true {
            let count = recv(socket, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            guard count < 0, errno == EAGAIN else { return String(decoding: buffer[..<max(0, count)], as: UTF8.self) }
            guard ContinuousClock.now < deadline else { throw Timeout() }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Raises the descriptor limit: both ends of each connection are in this process.
    static func allowManyDescriptors() {
        var descriptors = rlimit(rlim_cur: 4096, rlim_max: 4096)
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &descriptors)
        descriptors.rlim_cur = descriptors.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &descriptors)
    }

    static func close(_ descriptor: Int32) { Glibc.close(descriptor) }

    /// Returns a duplicate descriptor, which keeps the connection open.
    borrowing func duplicate() -> Int32 { dup(socket) }

    static func get(_ port: UInt16, _ path: String = "/") async throws -> Answer {
        let connection = try TestConnection(port)
        try await connection.send("GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        let text = try await connection.readToEnd()
        return Answer(status: Int(text.dropFirst("HTTP/1.1 ".count).prefix(3)) ?? 0, text: text)
    }

    private static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    /// Occupies a port.
    struct Holder {
        let socket: Int32
        let port: UInt16

        init(_ port: UInt16) throws {
            let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = TestConnection.address(port)
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isListening = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                    bind(socket, pointer, length) == 0 && listen(socket, 1) == 0 && getsockname(socket, pointer, &length) == 0
                }
            }
            guard isListening else { throw Failure(errno: errno) }
            self.socket = socket
            self.port = UInt16(bigEndian: address.sin_port)
        }

        func close() { Glibc.close(socket) }
    }

    /// Returns a port without a listener, another one for each call. The kernel assigns no such ports to the sockets of other tests.
    static func freePort() throws -> UInt16 {
        while true {
            let port = candidate.wrappingAdd(1, ordering: .relaxed).oldValue
            guard port < 32_768 else { throw Failure(errno: EADDRINUSE) }
            guard let holder = try? Holder(port) else { continue }
            holder.close()
            return port
        }
    }

    /// Below the ports of `net.ipv4.ip_local_port_range`.
    private static let candidate = Atomic(UInt16.random(in: 20_000..<30_000))
}

struct Timeout: Error {}

/// Waits for a condition, with a generous timeout.
func wait(_ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now.advanced(by: .seconds(300))
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw Timeout() }
        try await Task.sleep(for: .milliseconds(20))
    }
}
