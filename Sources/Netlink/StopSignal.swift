internal import CNetlink
internal import Glibc
internal import SystemPackage

/// Ends the wait of a thread that listens to the kernel, from any other.
public final class StopSignal: Sendable {
    /// Readable once the signal is raised.
    let descriptor: Int32
    private let writer: Int32

    public init() throws(NetlinkError) {
        var ends: [Int32] = [-1, -1]
        // Not a pipe: only sockets can be made here so that no process started at the same moment inherits them.
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else {
            throw NetlinkError(.kernel(Errno(rawValue: errno)), detail: "socketpair")
        }
        descriptor = ends[0]
        writer = ends[1]
    }

    deinit {
        close(descriptor)
        close(writer)
    }

    public func raise() {
        var byte: UInt8 = 1
        // It can fail only if the buffer is full, and then the signal has been raised before.
        _ = unsafe write(writer, &byte, 1)
    }

    /// Lets the time pass; returns at once, and true, when the signal is raised.
    public func isRaised(within milliseconds: Int32) -> Bool {
        var waited = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        _ = unsafe poll(&waited, 1, milliseconds)
        return waited.revents != 0
    }
}
