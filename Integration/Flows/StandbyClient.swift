import Glibc

/// A connection to a `traffic standby`, which makes requests from its own network namespace.
struct StandbyClient: ~Copyable {
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

    /// One request line, one line of JSON.
    func order(_ line: String) throws -> String {
        let bytes = Array((line + "\n").utf8)
        guard write(descriptor, bytes, bytes.count) == bytes.count else { throw Failure(path: path, code: errno) }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while answer.last != UInt8(ascii: "\n") {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { throw Failure(path: path, code: errno) }
            answer += buffer[..<count]
        }
        return String(decoding: answer.dropLast(), as: UTF8.self)
    }
}
