import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL

/// The listener of a test API server: HTTP/1.1, or over TLS the negotiated protocol.
struct TestListener: Sendable {
    typealias Exchange = NIOAsyncChannel<HTTPServerRequestPart, TestResponsePart>
    typealias Negotiated = NIONegotiatedHTTPVersion<Exchange, (any Channel, NIOHTTP2Handler.AsyncStreamMultiplexer<Exchange>)>

    let channel: NIOAsyncChannel<EventLoopFuture<Negotiated>, Never>

    var port: Int { channel.channel.localAddress?.port ?? 0 }

    init(host: String, port: Int, tls: TLSConfiguration?) async throws {
        let context = try tls.map { try NIOSSLContext(configuration: $0) }
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let context else {
                        try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                        return channel.eventLoop.makeSucceededFuture(.http1_1(try TestListener.exchange(channel)))
                    }
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    return channel.configureAsyncHTTPServerPipeline(
                        http1ConnectionInitializer: { channel in
                            channel.eventLoop.makeCompletedFuture { try TestListener.exchange(channel) }
                        },
                        http2ConnectionInitializer: { channel in channel.eventLoop.makeSucceededFuture(channel) },
                        http2StreamInitializer: { channel in
                            channel.eventLoop.makeCompletedFuture {
                                try channel.pipeline.syncOperations.addHandler(HTTP2FramePayloadToHTTP1ServerCodec())
                                return try TestListener.exchange(channel)
                            }
                        }
                    ).flatMap { $0 }
                }
            }
    }

    /// Wraps a connection, or a stream of one, as an asynchronous channel.
    private static func exchange(_ channel: any Channel) throws -> Exchange {
        try channel.pipeline.syncOperations.addHandler(TestResponseHandler())
        return try Exchange(wrappingChannelSynchronously: channel)
    }

    /// Passes every exchange to `body` as it begins, until the task is cancelled.
    func run(_ onConnection: @escaping @Sendable () -> Void, _ body: @escaping @Sendable (Exchange) async -> Void) async throws {
        try await TestListener.untilCancelled(closing: channel.channel) {
            try await withThrowingDiscardingTaskGroup { group in
                try await channel.executeThenClose { connections in
                    for try await connection in connections {
                        onConnection()
                        // Some tests are about failed handshakes.
                        group.addTask { try? await TestListener.serve(try await connection.get(), body) }
                    }
                }
                group.cancelAll()
            }
        }
    }

    /// Runs a consumer of a channel until the channel closes, which happens when this task is cancelled.
    ///
    /// The consumer itself is not cancelled: it would leave elements unread, and NIO traps if an asynchronous channel is released
    /// unfinished.
    static func untilCancelled(closing channel: any Channel, _ body: @escaping @Sendable () async throws -> Void) async throws {
        let consumer = Task { try await body() }
        try await withTaskCancellationHandler {
            try await consumer.value
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    private static func serve(_ connection: Negotiated, _ body: @escaping @Sendable (Exchange) async -> Void) async throws {
        switch connection {
        case .http1_1(let exchange): await body(exchange)
        case .http2((let channel, let multiplexer)):
            try await untilCancelled(closing: channel) {
                try await withThrowingDiscardingTaskGroup { group in
                    for try await exchange in multiplexer.inbound { group.addTask { await body(exchange) } }
                    group.cancelAll()
                }
            }
        }
    }
}
