internal import Glibc

/// What tells that a file is another or has been written to: if it is equal, the file need not be read again.
public struct FileStamp: Hashable, Sendable {
    public var device: UInt64
    public var inode: UInt64
    public var size: Int64
    public var modifiedSeconds: Int
    public var modifiedNanoseconds: Int
    public var isRegular: Bool
    public var isDirectory: Bool
    public var isSymbolicLink: Bool

    /// What makes a file itself, whatever is in it.
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

    /// Of what a path leads to (`stat(2)`), or of the path itself even if it is a symbolic link (`lstat(2)`).
    public init(path: String, followsLinks: Bool = true) throws(FileError) {
        var status = stat()
        guard unsafe (followsLinks ? stat(path, &status) : lstat(path, &status)) == 0 else { throw FileError("stat", path, errno) }
        self.init(status)
    }

    /// Of an open file (`fstat(2)`).
    public init(descriptor: Int32, path: String) throws(FileError) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw FileError("fstat", path, errno) }
        self.init(status)
    }
}
