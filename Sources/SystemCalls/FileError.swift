public import SystemPackage

/// A file that could not be read, or a system call on one that failed.
public struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        case failed(call: String, Errno)
        case notRegular
        /// In bytes.
        case tooLarge(limit: Int64)
    }

    public var path: String
    public var reason: Reason

    public init(_ path: String, _ reason: Reason) {
        self.path = path
        self.reason = reason
    }

    /// - Parameter code: `errno` after the call.
    public init(_ call: String, _ path: String, _ code: Int32) {
        self.init(path, .failed(call: call, Errno(rawValue: code)))
    }

    /// What the kernel answered; nil where it was not the kernel that refused.
    public var errno: Errno? {
        guard case .failed(_, let errno) = reason else { return nil }
        return errno
    }

    /// The file is not there, as against there and out of reach.
    public var isAbsent: Bool { errno == .noSuchFileOrDirectory || errno == .notDirectory }

    /// `open: Permission denied`.
    public var description: String {
        switch reason {
        case .failed(let call, let errno): "\(call): \(errno)"
        case .notRegular: "is not a regular file"
        case .tooLarge(let limit): "is larger than \(limit >> 20) MiB: part it"
        }
    }
}
