import Glibc
import KernelTestSupport

/// A connection to a `traffic standby`, which makes requests from its own network namespace.
final class StandbyClient {
    struct Failure: Error { var path: String, code: Int32 }

    private let descriptor: Int32
    private let path: String

    init(at path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let status = withUnsafePointer(to: name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard status == 0 else { throw Failure(path: path, code: errno) }
    }

    deinit { close(descriptor) }

    /// Ends the session, so that others can send commands.
    func end() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    func send(_ line: String) throws {
        let bytes = Array((line + "\n").utf8)
        guard write(descriptor, bytes, bytes.count) == bytes.count else { throw Failure(path: path, code: errno) }
    }

    /// Waits for the result of a command, one line of JSON.
    func answers() throws -> Answers {
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while answer.last != UInt8(ascii: "\n") {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { throw Failure(path: path, code: errno) }
            answer += buffer[..<count]
        }
        return try Answers.decode(String(decoding: answer.dropLast(), as: UTF8.self))
    }
}

/// Requests that a client sends until it is stopped, or until a failed test drops this.
final class Work {
    private let client: StandbyClient
    private let stop: String
    private var isFinished = false

    init(_ command: String, by client: StandbyClient, stop: String) throws {
        self.client = client
        self.stop = stop
        unlink(stop)
        try client.send("\(command) --until-file \(stop)")
    }

    deinit {
        // Later work of the client uses the same file.
        if !isFinished { close(creat(stop, 0o600)) }
    }

    /// Stops the requests and returns their result. Until then, the client accepts no other commands.
    func finish() throws -> Answers {
        isFinished = true
        close(creat(stop, 0o600))
        defer { client.end() }
        return try client.answers()
    }
}
