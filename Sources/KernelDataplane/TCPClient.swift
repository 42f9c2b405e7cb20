internal import CNetlink
internal import FoundationEssentials
internal import Glibc
internal import Model

/// Short requests to servers of this node, with a timeout of a second. Blocks.
enum TCPClient {
    private static let timeout = Duration.seconds(1)
    /// In bytes.
    private static let answerLimit = 4096

    /// The body of a short answer with the status 200, without white space around it; nil for everything else.
    static func get(_ path: String, from address: AddressPort) -> String? {
        let deadline = ContinuousClock.now.advanced(by: timeout)
        guard let descriptor = connection(to: address, until: deadline) else { return nil }
        defer { close(descriptor) }
        let request = Array("GET \(path) HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
        guard unsafe send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else { return nil }
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: answerLimit)
        while answer.count < answerLimit, wait(for: POLLIN, descriptor, until: deadline) {
            let count = unsafe recv(descriptor, &chunk, answerLimit - answer.count, 0)
            if count < 0, errno == EAGAIN || errno == EINTR { continue }
            guard count > 0 else { return body(of: answer) }
            answer += chunk.prefix(count)
        }
        return nil
    }

    static func body(of answer: [UInt8]) -> String? {
        let text = String(decoding: answer, as: UTF8.self)
        guard text.hasPrefix("HTTP/1."), text.split(separator: " ").dropFirst().first == "200",
            let end = text.firstRange(of: "\r\n\r\n")
        else { return nil }
        return text[end.upperBound...].split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    /// A non-blocking connection; nil if there is none in time.
    private static func connection(to address: AddressPort, until deadline: ContinuousClock.Instant) -> Int32? {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(address.address.family == .ipv4 ? AF_INET : AF_INET6, kind, 0)
        guard descriptor >= 0 else { return nil }
        var error: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard connect(descriptor, address) == 0 || errno == EINPROGRESS, wait(for: POLLOUT, descriptor, until: deadline),
            unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) == 0, error == 0
        else {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    private static func connect(_ descriptor: Int32, _ address: AddressPort) -> Int32 {
        if address.address.family == .ipv4 {
            var name = sockaddr_in()
            (name.sin_family, name.sin_port) = (sa_family_t(AF_INET), address.port.bigEndian)
            unsafe withUnsafeMutableBytes(of: &name.sin_addr) { unsafe $0.copyBytes(from: address.address.bytes) }
            return connect(descriptor, name)
        }
        var name = sockaddr_in6()
        (name.sin6_family, name.sin6_port) = (sa_family_t(AF_INET6), address.port.bigEndian)
        unsafe withUnsafeMutableBytes(of: &name.sin6_addr) { unsafe $0.copyBytes(from: address.address.bytes) }
        return connect(descriptor, name)
    }

    private static func connect<Name>(_ descriptor: Int32, _ name: Name) -> Int32 {
        unsafe withUnsafePointer(to: name) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<Name>.size))
            }
        }
    }

    private static func wait(for event: Int32, _ descriptor: Int32, until deadline: ContinuousClock.Instant) -> Bool {
        while true {
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero else { return false }
            var polled = pollfd(fd: descriptor, events: Int16(event), revents: 0)
            let count = unsafe poll(&polled, 1, Int32(left / .milliseconds(1)) + 1)
            if count > 0 { return true }
            if count < 0, errno != EINTR { return false }
        }
    }
}
