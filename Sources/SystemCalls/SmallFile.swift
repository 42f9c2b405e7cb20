internal import Glibc

/// Files that are read whole into memory.
public enum SmallFile {
    /// What may be read.
    public enum Kind: Hashable, Sendable {
        /// Regular files only, and nothing that could block: the path comes from a directory that others write to.
        case regular
        /// Whatever the path leads to, such as a pipe: an operator named it.
        case any
    }

    /// The bytes of a file and its stamp from before they were read, so that a write in the meantime is seen later.
    ///
    /// - Parameter limit: in bytes; a larger file is refused.
    public static func read(_ path: String, limit: Int64, _ kind: Kind = .regular) throws(FileError) -> (bytes: [UInt8], stamp: FileStamp) {
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
            // It may grow while it is read.
            guard bytes.count <= limit else { throw FileError(path, .tooLarge(limit: limit)) }
        }
    }

    /// The first bytes of a file, such as one of `/proc`.
    ///
    /// - Parameter limit: reads not much more than so many bytes.
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

/// A file that is open for reading.
private struct OpenFile: ~Copyable {
    let descriptor: Int32
    private let path: String

    /// - Parameter mayBlock: else opening a pipe that nobody writes to returns at once.
    init(_ path: String, mayBlock: Bool) throws(FileError) {
        self.path = path
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (mayBlock ? 0 : O_NONBLOCK))
        guard descriptor >= 0 else { throw FileError("open", path, errno) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Returns how many bytes were read; 0 at the end.
    borrowing func read(into chunk: inout [UInt8]) throws(FileError) -> Int {
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 { return count }
            guard errno == EINTR else { throw FileError("read", path, errno) }
        }
    }
}
