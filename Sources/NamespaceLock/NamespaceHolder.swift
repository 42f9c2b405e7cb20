internal import Dispatch
internal import FoundationEssentials
internal import Glibc
public import StatusAPI

/// A connection to the instance that holds the network namespace.
public final class NamespaceHolder: Sendable {
    private let connection: Int32
    /// Only its pid is certain: the rest is what it says about itself, in printable form.
    public let description: InstanceDescription
    /// Whether it closed the connection before it described itself.
    let hasClosed: Bool

    /// Reads the description, which a stopped process does not send.
    ///
    /// - Parameters:
    ///   - connection: which this takes over.
    ///   - pid: 0 if it is not visible.
    init(_ connection: Int32, pid: Int, timeout: Duration) {
        self.connection = connection
        let line: [UInt8]?
        (line, hasClosed) = NamespaceHolder.line(from: connection, until: .now.advanced(by: timeout))
        // Another text than that of an instance leaves only the pid.
        var description =
            line.flatMap { try? JSONDecoder().decode(InstanceDescription.self, from: Data($0)) } ?? InstanceDescription(pid: 0)
        description.pid = pid
        self.description = description.printable
    }

    deinit { close(connection) }

    /// Returns once the holder has ended, however it did, or throws if the task is cancelled.
    public func end() async throws {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                DispatchQueue(label: "namespace holder").async { [self] in
                    while NamespaceHolder.isOpen(connection) {}
                    continuation.resume()
                }
            }
        } onCancel: {
            // Ends the wait.
            shutdown(connection, Int32(SHUT_RDWR))
        }
        try Task.checkCancellation()
    }

    /// Waits until the other end sends something or closes the connection; false if it is closed.
    private static func isOpen(_ connection: Int32) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = unsafe recv(connection, &bytes, bytes.count, 0)
        return count > 0 || count < 0 && errno == EINTR
    }

    /// The first line, without its end; nil if it does not arrive in time or is too long.
    private static func line(from connection: Int32, until deadline: ContinuousClock.Instant) -> (line: [UInt8]?, hasClosed: Bool) {
        var line: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: InstanceDescription.lineLimit)
        while line.count < InstanceDescription.lineLimit {
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero else { return (nil, false) }
            var polled = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&polled, 1, Int32(left / .milliseconds(1)) + 1) > 0 else { continue }
            let count = unsafe recv(connection, &chunk, InstanceDescription.lineLimit - line.count, Int32(MSG_DONTWAIT))
            if count == 0 || count < 0 && errno != EAGAIN && errno != EINTR { return (nil, true) }
            line += chunk.prefix(max(0, count))
            if let end = line.firstIndex(of: UInt8(ascii: "\n")) { return (Array(line[..<end]), false) }
        }
        return (nil, false)
    }
}
