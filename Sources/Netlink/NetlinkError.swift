internal import CNetlink
public import SystemPackage

/// Why a netlink request did not do what was asked.
public struct NetlinkError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: Hashable, Sendable {
        /// The kernel refused, with its own errno; libnl's codes are lossy (ENOENT and ESRCH are one), so they are not used here.
        case kernel(Errno)
        /// The errno is one of a subsystem's own, above the system's range; ipset's start at 4096 (`IPSET_ERR_PRIVATE`).
        case subsystem(Int32)
        /// The receive buffer overflowed: what became of the batch is not known.
        case overrun
        /// No answer within the socket's time limit.
        case timedOut
        /// The table changed while it was dumped.
        case interrupted
        /// The answer does not follow the protocol.
        case malformed
        /// libnl could not build or send the message.
        case library(Int32)
    }

    public var code: Code
    /// What the kernel said beside the number (`NLMSGERR_ATTR_MSG`), or libnl's text.
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

    /// Whether this says nothing about what was asked: the kernel was short of something, or its answer was lost. The same request may succeed later.
    public var isTemporary: Bool {
        switch code {
        case .kernel(let errno): errno.isTemporary
        case .overrun, .timedOut, .interrupted: true
        // `NLE_FAILURE` is what libnl makes of every errno that it has no name for, such as EMFILE.
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
    /// Whether a system call that fails with this may succeed later: the machine is busy or short of something.
    package var isTemporary: Bool {
        [
            .resourceTemporarilyUnavailable, .resourceBusy, .interrupted, .noMemory, .noBufferSpace, .tooManyOpenFiles,
            .tooManyOpenFilesInSystem, .timedOut,
        ].contains(self)
    }
}
