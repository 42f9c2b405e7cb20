import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL

/// Where a test API server listens: HTTP/1.1, or over TLS whatever is negotiated.
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

    /// What goes in and out on a connection, or on a stream of one.
    private static func exchange(_ channel: any Channel) throws -> Exchange {
        try channel.pipeline.syncOperations.addHandler(TestResponseHandler())
        return try Exchange(wrappingChannelSynchronously: channel)
    }

    /// Hands on every exchange as it begins, until the task is cancelled.
    func run(_ onConnection: @escaping @Sendable () -> Void, _ body: @escaping @Sendable (Exchange) async -> Void) async throws {
        try await TestListener.untilCancelled(closing: channel.channel) {
            try await withThrowingDiscardingTaskGroup { group in
                try await channel.executeThenClose { connections in
                    for try await connection in connections {
                        onConnection()
                        // A handshake that fails is what some tests are about.
                        group.addTask { try? await TestListener.serve(try await connection.get(), body) }
                    }
                }
                group.cancelAll()
            }
        }
    }

    /// Runs what takes things from a channel until the channel closes, which it does when this task is cancelled.
    ///
    /// What takes them is not cancelled itself: it would leave some untaken, and NIO ends the program where an asynchronous channel is let go unfinished.
    static func untilCancelled(closing channel: any Channel, _ body: @escaping @Sendable () async throws -> Void) async throws {
        let taking = Task { try await body() }
        try await withTaskCancellationHandler {
            try await taking.value
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
