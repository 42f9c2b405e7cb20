internal import Glibc
public import SystemPackage

/// Reads complete files into memory.
public enum SmallFile {
    /// Returns the bytes of a file, and its stamp from before the read, so that a write during the read is detected later.
    ///
    /// - Parameter limit: in bytes; fails if the file is larger.
    public static func read(_ path: String, limit: Int64, _ kind: SmallFileKind = .regular) throws(FileError) -> (
        bytes: [UInt8], stamp: FileStamp
    ) {
        let file = try OpenFile(path, mayBlock: kind == .any)
        let stamp = try FileStamp(descriptor: file.descriptor, path: path)
        if kind == .regular {
            guard stamp.isRegular else { throw FileError(path, .notRegular) }
            guard stamp.size <= limit else { throw FileError(path, .tooLarge(limit: limit)) }
        }
        var bytes: [UInt8] = []
        let size = Int(clamping: max(0, min(stamp.size, limit)))
        bytes.reserveCapacity(size + 1)
        var chunk = [UInt8](repeating: 0, count: max(4096, min(size + 1, 1 << 20)))
        while true {
            let count = try file.read(into: &chunk)
            if count == 0 { return (bytes, stamp) }
            bytes += chunk[..<count]
            // The file may grow during the read.
            guard bytes.count <= limit else { throw FileError(path, .tooLarge(limit: limit)) }
        }
    }

    /// Returns the first bytes of a file, such as one of `/proc`.
    ///
    /// - Parameter limit: in bytes; may be exceeded by less than one read.
    public static func readBeginning(of path: String, limit: Int = .max) throws(FileError) -> [UInt8] {
        let file = try OpenFile(path, mayBlock: true)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while bytes.count < limit {
            let count = try file.read(into: &chunk)
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return bytes
    }
}

/// A file open for reading.
private struct OpenFile: ~Copyable {
    let descriptor: Int32
    private let path: String

    /// - Parameter mayBlock: if false, opening a pipe without a writer returns immediately.
    init(_ path: String, mayBlock: Bool) throws(FileError) {
        self.path = path
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (mayBlock ? 0 : O_NONBLOCK))
        guard descriptor >= 0 else { throw FileError("open", path, errno) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Returns the number of bytes read; 0 at the end.
    borrowing func read(into chunk: inout [UInt8]) throws(FileError) -> Int {
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 { return count }
            guard errno == EINTR else { throw FileError("read", path, errno) }
        }
    }
}

/// A failure to read a file, or a failed system call on it.
public struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        case failed(call: String, Errno)
        case notRegular
        /// `limit` is in bytes.
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

    /// The errno of the failed system call; nil for other reasons.
    public var errno: Errno? {
        guard case .failed(_, let errno) = reason else { return nil }
        return errno
    }

    /// Whether the file does not exist, as opposed to being inaccessible.
    public var isAbsent: Bool { errno == .noSuchFileOrDirectory || errno == .notDirectory }

    /// `open: Permission denied`.
    public var description: String {
        switch reason {
        case .failed(let call, let errno): "\(call): \(errno)"
        case .notRegular: "is not a regular file"
        case .tooLarge(let limit): "is larger than \(limit >> 20) MiB: split it"
        }
    }
}

/// The identity and modification time of a file: while they are equal, the file need not be read again.
public struct FileStamp: Hashable, Sendable {
    public var device: UInt64
    public var inode: UInt64
    public var size: Int64
    public var modifiedSeconds: Int
    public var modifiedNanoseconds: Int
    public var isRegular: Bool
    public var isDirectory: Bool
    public var isSymbolicLink: Bool

    /// Identifies a file, regardless of its content.
    public struct Identity: Hashable, Sendable {
        public var device: UInt64
        public var inode: UInt64
    }

    public var identity: Identity { Identity(device: device, inode: inode) }

    private init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        modifiedSeconds = status.st_mtim.tv_sec
        modifiedNanoseconds = status.st_mtim.tv_nsec
        isRegular = status.st_mode & S_IFMT == S_IFREG
        isDirectory = status.st_mode & S_IFMT == S_IFDIR
        isSymbolicLink = status.st_mode & S_IFMT == S_IFLNK
    }

    /// The stamp of the file at a path; `followsLinks` selects `stat(2)`, else `lstat(2)`.
    public init(path: String, followsLinks: Bool = true) throws(FileError) {
        var status = stat()
        guard unsafe (followsLinks ? stat(path, &status) : lstat(path, &status)) == 0 else { throw FileError("stat", path, errno) }
        self.init(status)
    }

    /// The stamp of an open file (`fstat(2)`).
    public init(descriptor: Int32, path: String) throws(FileError) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw FileError("fstat", path, errno) }
        self.init(status)
    }
}

/// The kinds of files that may be read.
public enum SmallFileKind: Hashable, Sendable {
    /// Only regular files, which cannot block: the path comes from a directory that others write to.
    case regular
    /// Any file, such as a pipe: the operator specified the path.
    case any
}
