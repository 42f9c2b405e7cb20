@testable import StatusServer
import Glibc
import Testing

/// A server on a Unix socket that only root can use.
@Suite(.serialized) struct `A root-only socket` {
    private let path: String

    init() throws {
        var template = Array("/tmp/kube-ipvs-proxy-test.XXXXXX".utf8CString)
        let directory = try #require(
            template.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap(mkdtemp) }.map { String(cString: $0) })
        path = "\(directory)/socket"
    }

    private func mode() -> mode_t? {
        var found = stat()
        return lstat(path, &found) == 0 ? found.st_mode : nil
    }

    /// Returns the umask of the process. Reading it with `umask` would change it.
    private static func currentUmask() throws -> String {
        let file = try #require(fopen("/proc/self/status", "r"))
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 4096)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text.hasPrefix("Umask:") { return text }
        }
        throw Timeout()
    }

    /// Runs a server until the test is done.
    private func serving(_ test: @Sendable @escaping () async throws -> Void) async throws {
        let listener = HTTPListener(ListenAddress(.socket(path: path), port: 0), connections: OpenConnections(limit: 4)) { _ in .text("ok")
        }
        let (started, listening) = AsyncStream.makeStream(of: UInt16.self)
        try await withThrowingTaskGroup { group in
            group.addTask {
                defer { listening.finish() }
                try await listener.run { listening.yield($0) }
            }
            for await _ in started {
                try await test()
                group.cancelAll()
            }
            try await group.waitForAll()
        }
    }

    @Test func `has mode 0600 whatever existed before, and is removed at the end`() async throws {
        close(try RootSocket(path).descriptor)
        #expect(chmod(path, 0o777) == 0)
        try await serving { #expect(mode() == S_IFSOCK | 0o600) }
        #expect(mode() == nil)
    }

    @Test func `has its mode before clients can connect`() throws {
        let descriptor = try RootSocket(path).descriptor
        defer { close(descriptor) }
        #expect(mode() == S_IFSOCK | 0o600)
        var isListening: Int32 = -1
        var size = socklen_t(MemoryLayout<Int32>.size)
        #expect(getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size) == 0 && isListening == 0)
        #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test func `does not remove the socket of a successor`() throws {
        let first = try RootSocket(path)
        let second = try RootSocket(path)
        defer { for socket in [first, second] { close(socket.descriptor) } }
        first.remove()
        #expect(mode() == S_IFSOCK | 0o600)
        second.remove()
        #expect(mode() == nil)
    }

    @Test func `does not replace a file that is not a socket`() async throws {
        let file = try #require(fopen(path, "w"))
        fclose(file)
        await #expect(throws: ListenError.self) { try await serving {} }
        #expect(mode().map { $0 & S_IFMT } == S_IFREG)
    }

    @Test func `does not change the umask while it is created`() async throws {
        let before = try Self.currentUmask()
        let watch = Task {
            var seen: Set<String> = []
            repeat {
                seen.insert(try Self.currentUmask())
                await Task.yield()
            } while !Task.isCancelled
            return seen
        }
        for _ in 0..<20 { try await serving {} }
        watch.cancel()
        #expect(try await watch.value == [before])
    }
}
