internal import FoundationEssentials
internal import Glibc
public import Kubernetes
internal import NIOCore
public import StatusAPI

/// A Unix domain socket that only root can connect to.
struct RootSocket {
    private let path: String
    private let inode: ino_t
    /// The bound socket, which does not listen yet. Its user closes it.
    let descriptor: Int32

    /// Creates the socket file, replacing one of an earlier run.
    ///
    /// The kernel creates the file with the mode of the socket (`unix_bind_bsd`, net/unix/af_unix.c), so that the mode is never wrong and
    /// the umask, which all threads share, need not change.
    init(_ path: String) throws {
        let address = try SocketAddress(unixDomainSocketPath: path)
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
        do {
            guard fchmod(descriptor, 0o600) == 0 else { throw IOError(errnoCode: errno, reason: "fchmod") }
            // A file that is no socket is kept, and binding fails.
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

    /// Removes the file, unless another instance has replaced it.
    func remove() {
        // A failure only leaves an unused file.
        if RootSocket.inode(at: path) == inode { try? RootSocket.remove(path) }
    }

    private static func remove(_ path: String) throws {
        guard unsafe unlink(path) == 0 || errno == ENOENT else { throw IOError(errnoCode: errno, reason: "unlink") }
    }

    /// Returns the inode of the socket at a path; nil if there is none.
    private static func inode(at path: String) -> ino_t? {
        var found = stat()
        return unsafe lstat(path, &found) == 0 && found.st_mode & S_IFMT == S_IFSOCK ? found.st_ino : nil
    }
}

/// Accepts connections from root only (`SO_PEERCRED`, `man 7 unix`), even if the mode of the socket was changed.
final class RootOnlyAccept: ChannelInboundHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel

    /// `struct ucred`, which the C library only declares with GNU extensions.
    private struct Credentials: Sendable {
        var process: Int32 = 0
        var user: UInt32 = 0
        var group: UInt32 = 0
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let connection = unwrapInboundIn(data)
        guard let options = connection as? any SocketOptionProvider else { return connection.close(promise: nil) }
        let peer: EventLoopFuture<Credentials> = options.unsafeGetSocketOption(
            level: .socket, name: NIOBSDSocket.Option(rawValue: SO_PEERCRED))
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        peer.map(\.user).hop(to: context.eventLoop).whenComplete { user in
            if case .success(0) = user {
                context.value.fireChannelRead(NIOAny(connection))
            } else {
                connection.close(promise: nil)
            }
        }
    }
}

/// The routes of the socket for the status command: `GET /state` and `GET /differences`.
public struct SocketRoutes: Sendable {
    private let report: @Sendable (LabelSelector?) async -> ProxyReport
    private let differences: @Sendable () async throws -> ProxyDifferences

    /// - Parameters:
    ///   - report: Returns the report of the Services that a selector matches; nil for all.
    ///   - differences: Returns the differences between actual and desired kernel state.
    public init(
        report: @escaping @Sendable (LabelSelector?) async -> ProxyReport,
        differences: @escaping @Sendable () async throws -> ProxyDifferences
    ) {
        self.report = report
        self.differences = differences
    }

    public func answer(_ request: StatusRequest) async -> StatusResponse {
        guard request.method == "GET" else { return .text("only GET is supported\n", status: 405) }
        do {
            switch request.path {
            case ProxyReport.path:
                let selector = try request.parameters[ProxyReport.selectorParameter].map { text throws(LabelSelector.Malformed) in
                    try LabelSelector(text)
                }
                return .json(try SocketRoutes.json(await report(selector)))
            case ProxyDifferences.path:
                return .json(try SocketRoutes.json(try await differences()))
            default: return .notFound
            }
        } catch let error as LabelSelector.Malformed {
            return .text("\(error)\n", status: 400)
        } catch {
            return .text("\(error)\n", status: 500)
        }
    }

    private static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
    }
}
