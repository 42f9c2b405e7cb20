internal import CMalloc
internal import Dispatch
internal import FoundationEssentials
internal import Glibc
internal import StatusAPI

/// The network namespace, held by this process until it ends. It tells each instance that connects who holds it, and keeps the connection
/// open.
public final class HeldNamespace: Sendable {
    private let listener: Int32
    private let end: DispatchGroup

    /// The number of connections; more than instances that wait on a node.
    private static let connectionLimit = 64

    /// - Parameter listener: a listening socket, which this takes over.
    init(_ listener: Int32, _ description: InstanceDescription) {
        self.listener = listener
        let end = DispatchGroup()
        self.end = end
        // Strings and numbers can be encoded; without a description, others know only the pid.
        var line = (try? JSONEncoder().encode(description.printable)).map(Array.init) ?? []
        line.append(UInt8(ascii: "\n"))
        DispatchQueue(label: "namespace").async(group: end) { [line] in HeldNamespace.answer(listener, line) }
    }

    /// Releases the namespace, for tests: a process that serves holds it until it ends.
    func release() {
        shutdown(listener, Int32(SHUT_RDWR))
        end.wait()
    }

    /// Answers until the listener is shut down. Everything is closed at the end.
    private static func answer(_ listener: Int32, _ line: [UInt8]) {
        var connections: [Int32] = []
        defer {
            close(listener)
            for connection in connections { close(connection) }
        }
        while true {
            var polled = ([listener] + connections).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            guard unsafe poll(&polled, nfds_t(polled.count), -1) >= 0 else {
                // The namespace must not be given up for want of memory.
                if errno != EINTR { usleep(100_000) }
                continue
            }
            for entry in polled.dropFirst() where entry.revents != 0 && !isOpen(entry.fd) {
                close(entry.fd)
                connections.removeAll { $0 == entry.fd }
            }
            guard let first = polled.first, first.revents != 0 else { continue }
            if first.revents & Int16(POLLHUP | POLLERR | POLLNVAL) != 0 { return }
            let connection = accept4(listener, nil, nil, Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue))
            guard connection >= 0 else {
                // Without descriptors or memory, the connection stays in the queue: the other instance knows the pid, and waits.
                usleep(100_000)
                continue
            }
            guard connections.count < connectionLimit, PeerCredentials(of: connection)?.isTrusted == true else {
                close(connection)
                continue
            }
            // The buffer has room for a line, and a failure only leaves the other instance without a description.
            _ = unsafe send(connection, line, line.count, Int32(MSG_NOSIGNAL))
            connections.append(connection)
        }
    }

    /// Whether the other end is open; discards what it sent.
    private static func isOpen(_ connection: Int32) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = unsafe recv(connection, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        return count > 0 || count < 0 && (errno == EAGAIN || errno == EINTR)
    }
}
