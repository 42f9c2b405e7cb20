internal import Glibc
internal import Logging
internal import Model
internal import NIOCore
internal import NIOPosix

/// Listens on one port of 127.0.0.1 only, and relays connections.
struct NodePortListener: Sendable {
    private let channel: any Channel

    /// - Parameters:
    ///   - port: 0 for any free port.
    ///   - target: the destination, evaluated for each connection; nil to refuse it.
    init(port: UInt16, limit: ConnectionLimit, logger: Logger, target: @escaping @Sendable () -> AddressPort?) async throws {
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 256)
            // After an error, such as missing descriptors, accepting is retried later, not in a loop.
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

    /// Stops listening; existing connections continue.
    func close() async {
        // Fails only if it is closed already.
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

/// The reason why a connection is refused.
private enum ConnectionRefusal: Error { case tooMany, noTarget }

extension Channel {
    fileprivate func refused(_ reason: ConnectionRefusal) -> EventLoopFuture<Void> {
        reset()
        return eventLoop.makeFailedFuture(reason)
    }

    /// Detects lost peers within two minutes, and keeps idle connections in the IPVS table, where they expire after 15 minutes.
    ///
    /// Must be called on the channel's event loop.
    fileprivate func setKeepAlive() throws {
        try syncOptions?.setOption(.socketOption(.so_keepalive), value: 1)
        for (name, seconds) in [(TCP_KEEPIDLE, 60), (TCP_KEEPINTVL, 15), (TCP_KEEPCNT, 4)] {
            try syncOptions?.setOption(.tcpOption(.init(rawValue: name)), value: seconds)
        }
    }
}
