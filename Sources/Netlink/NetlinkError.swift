internal import CNetlink
public import SystemPackage

/// The reason why a netlink request failed.
public struct NetlinkError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: Hashable, Sendable {
        /// The errno returned by the kernel; libnl's codes are lossy (ENOENT and ESRCH have the same one), so they are not used here.
        case kernel(Errno)
        /// An error number of a subsystem, above the range of errno; ipset's start at 4096 (`IPSET_ERR_PRIVATE`).
        case subsystem(Int32)
        /// The receive buffer overflowed: the outcome of the batch is unknown.
        case overrun
        /// No reply within the socket's time limit.
        case timedOut
        /// The table changed during the dump.
        case interrupted
        /// The reply violates the protocol.
        case malformed
        /// libnl could not build the message or open the socket.
        case library(Int32)
    }

    public var code: Code
    /// The kernel's message with the errno (`NLMSGERR_ATTR_MSG`), or libnl's text.
    public var detail: String?

    public init(_ code: Code, detail: String? = nil) {
        self.code = code
        self.detail = detail
    }

    public var description: String {
        let reason =
            switch code {
            case .kernel(let errno): "\(errno)".lowercased()
            case .subsystem(let number): "subsystem error \(number)"
            case .overrun: "the socket's receive buffer overflowed"
            case .timedOut: "timed out waiting for the kernel"
            case .interrupted: "the table kept changing while it was read"
            case .malformed: "malformed reply"
            case .library(let number): "libnl error \(number)"
            }
        return detail.map { "\(reason) (\($0))" } ?? reason
    }

    /// Whether the same request may succeed later: the kernel lacked a resource, or its reply was lost.
    public var isTemporary: Bool {
        switch code {
        case .kernel(let errno): errno.isTemporary
        case .overrun, .timedOut, .interrupted: true
        // libnl maps every errno for which it has no code, such as EMFILE, to `NLE_FAILURE`.
        case .library(let number): [NLE_FAILURE, NLE_INTR, NLE_AGAIN, NLE_NOMEM, NLE_BUSY].contains(number)
        case .subsystem, .malformed: false
        }
    }

    /// From the (positive) number in an error message.
    static func kernelNumber(_ number: Int32, detail: String?) -> NetlinkError {
        NetlinkError(number < 4096 ? .kernel(Errno(rawValue: number)) : .subsystem(number), detail: detail)
    }
}

extension Errno {
    /// Whether a system call that fails with this error may succeed later: the system is busy or lacks a resource.
    package var isTemporary: Bool {
        [
            .resourceTemporarilyUnavailable, .resourceBusy, .interrupted, .noMemory, .noBufferSpace, .tooManyOpenFiles,
            .tooManyOpenFilesInSystem, .timedOut,
        ].contains(self)
    }
}
