internal import Glibc
internal import Logging
internal import Model
internal import NIOCore
internal import NIOPosix

/// Listens on one port of 127.0.0.1, and nowhere else, and hands connections on.
struct NodePortListener: Sendable {
    private let channel: any Channel

    /// - Parameters:
    ///   - port: 0 for any that is free.
    ///   - target: where connections go; asked for each of them. Nil refuses.
    init(port: UInt16, limit: ConnectionLimit, logger: Logger, target: @escaping @Sendable () -> AddressPort?) async throws {
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 256)
            // Without descriptors, say, accepting is tried again later, not all the time.
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { client in
                guard limit.admit() else { return client.refused(.tooMany) }
                client.closeFuture.whenComplete { _ in limit.release() }
                guard let target = target() else { return client.refused(.noTarget) }
                return NodePortListener.connect(client, target, logger)
            }
            .bind(host: "127.0.0.1", port: Int(port)).get()
    }

    var port: UInt16 { channel.localAddress?.port.flatMap { UInt16(exactly: $0) } ?? 0 }

    var isListening: Bool { channel.isActive }

    /// Stops listening; connections that there are go on.
    func close() async {
        // Closed already: that is what was wanted.
        try? await channel.close()
    }

    private static func connect(_ client: any Channel, _ target: AddressPort, _ logger: Logger) -> EventLoopFuture<Void> {
        client.eventLoop.makeCompletedFuture { try client.setKeepAlive() }.flatMap {
            ClientBootstrap(group: client.eventLoop)
                .connectTimeout(.seconds(10))
                .channelOption(.autoRead, value: false)
                .channelOption(.allowRemoteHalfClosure, value: true)
                .connect(host: target.address.description, port: Int(target.port))
        }.flatMapThrowing { server in
            do {
                try server.setKeepAlive()
                let (one, other) = RelayHandler.pair()
                try client.pipeline.syncOperations.addHandler(one)
                try server.pipeline.syncOperations.addHandler(other)
            } catch {
                server.close(promise: nil)
                throw error
            }
        }.flatMapErrorThrowing { error in
            logger.debug("Connection to node port on 127.0.0.1 failed", metadata: ["target": "\(target)", "error": "\(error)"])
            client.reset()
            throw error
        }
    }
}

/// Why a connection is not handed on.
private enum ConnectionRefusal: Error { case tooMany, noTarget }

extension Channel {
    fileprivate func refused(_ reason: ConnectionRefusal) -> EventLoopFuture<Void> {
        reset()
        return eventLoop.makeFailedFuture(reason)
    }

    /// Peers that vanish are noticed within two minutes, and IPVS, which forgets an idle connection after fifteen, is reminded of those that live.
    ///
    /// Has to be called on the channel's event loop.
    fileprivate func setKeepAlive() throws {
        try syncOptions?.setOption(.socketOption(.so_keepalive), value: 1)
        for (name, seconds) in [(TCP_KEEPIDLE, 60), (TCP_KEEPINTVL, 15), (TCP_KEEPCNT, 4)] {
            try syncOptions?.setOption(.tcpOption(.init(rawValue: name)), value: seconds)
        }
    }
}
