internal import Glibc
internal import NIOCore

/// A socket in the file system that only root can connect to.
struct RootSocket {
    private let path: String
    private let inode: ino_t
    /// Bound; nobody listens yet. Whoever takes it closes it.
    let descriptor: Int32

    /// Makes the file anew, whatever an earlier run left there.
    ///
    /// The kernel gives the file the mode that the socket has (`unix_bind_bsd`, net/unix/af_unix.c): it is right from its first moment on, without the umask,
    /// which all threads share.
    init(_ path: String) throws {
        let address = try SocketAddress(unixDomainSocketPath: path)
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
        do {
            guard fchmod(descriptor, 0o600) == 0 else { throw IOError(errnoCode: errno, reason: "fchmod") }
            // What is no socket stays: binding fails then.
            if RootSocket.inode(at: path) != nil { try RootSocket.remove(path) }
            guard unsafe address.withSockAddr({ unsafe bind(descriptor, $0, socklen_t($1)) }) == 0 else {
                throw IOError(errnoCode: errno, reason: "bind")
            }
        } catch {
            close(descriptor)
            throw error
        }
        self.path = path
        self.descriptor = descriptor
        inode = RootSocket.inode(at: path) ?? 0
    }

    /// Removes the file, unless it is another instance's by now.
    func remove() {
        // Without it, only a file that nobody listens on is left.
        if RootSocket.inode(at: path) == inode { try? RootSocket.remove(path) }
    }

    private static func remove(_ path: String) throws {
        guard unsafe unlink(path) == 0 || errno == ENOENT else { throw IOError(errnoCode: errno, reason: "unlink") }
    }

    /// Nil where there is no socket.
    private static func inode(at path: String) -> ino_t? {
        var found = stat()
        return unsafe lstat(path, &found) == 0 && found.st_mode & S_IFMT == S_IFSOCK ? found.st_ino : nil
    }
}
