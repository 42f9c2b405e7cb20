internal import Glibc
internal import NIOCore

/// Lets only root's connections in (`SO_PEERCRED`, `man 7 unix`), whatever became of the socket's mode.
final class RootGate: ChannelInboundHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel

    /// `struct ucred`, which the C library shows only to those who ask for GNU's extensions.
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
