internal import NIOCore

/// Notes connections as they are accepted, before anything is read from them.
final class ConnectionGate: ChannelInboundHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel

    private let connections: OpenConnections

    init(_ connections: OpenConnections) { self.connections = connections }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        connections.admit(unwrapInboundIn(data), of: ObjectIdentifier(context.channel))
        context.fireChannelRead(data)
    }
}
