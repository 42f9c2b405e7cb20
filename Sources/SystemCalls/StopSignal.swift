internal import Glibc

/// A descriptor that becomes readable to stop a thread that waits in `poll(2)`.
public final class StopSignal: Sendable {
    /// Readable once the signal is raised.
    package let descriptor: Int32
    private let writer: Int32

    public init() throws(FileError) {
        var ends: [Int32] = [-1, -1]
        // Not a pipe: only sockets can be created here such that a process started at the same moment does not inherit them.
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw FileError("socketpair", "", errno) }
        descriptor = ends[0]
        writer = ends[1]
    }

    deinit {
        close(descriptor)
        close(writer)
    }

    /// Whether the signal is raised now or before the timeout.
    public func isRaised(within milliseconds: Int32) -> Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        _ = unsafe poll(&waiting, 1, milliseconds)
        return waiting.revents != 0
    }

    public func raise() {
        var byte: UInt8 = 1
        // This can fail only if the buffer is full; then the signal was raised before.
        _ = unsafe write(writer, &byte, 1)
    }
}
