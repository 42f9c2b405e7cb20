import NIOCore
import NIOPosix
import Synchronization

/// An HTTP proxy in this process that connects every CONNECT request to one port, whatever its target.
final class TestProxy: Sendable {
    private let listener: NIOAsyncChannel<NIOAsyncChannel<ByteBuffer, ByteBuffer>, Never>
    private let upstream: Int
    private let received = Mutex<[String]>([])

    private init(to port: Int) async throws {
        upstream = port
        listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0) { channel in
            channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel(wrappingChannelSynchronously: channel) }
        }
    }

    var port: Int { listener.channel.localAddress?.port ?? 0 }

    /// The request lines and headers that clients sent before their tunnels began.
    var heads: [String] { received.withLock(\.self) }

    /// Serves while `body` runs.
    ///
    /// - Parameter port: the local port to which all tunnels lead.
    static func serving(to port: Int, _ body: @escaping @Sendable (TestProxy) async throws -> Void) async throws {
        let proxy = try await TestProxy(to: port)
        try await withThrowingTaskGroup { group in
            group.addTask { try await proxy.run() }
            defer { group.cancelAll() }
            try await body(proxy)
        }
    }

    private func run() async throws {
        try await TestListener.untilCancelled(closing: listener.channel) {
            try await withThrowingDiscardingTaskGroup { group in
                try await self.listener.executeThenClose { connections in
                    for try await connection in connections {
                        // Some tests are about connections that either side breaks.
                        group.addTask { try? await self.serve(connection) }
                    }
                }
                group.cancelAll()
            }
        }
    }

    private func serve(_ client: NIOAsyncChannel<ByteBuffer, ByteBuffer>) async throws {
        try await client.executeThenClose { inbound, outbound in
            var fromClient = inbound.makeAsyncIterator()
            var head = ""
            while !head.hasSuffix("\r\n\r\n") {
                guard let bytes = try await fromClient.next() else { return }
                head += String(buffer: bytes)
            }
            received.withLock { [head] in $0.append(head) }
            let server = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(host: "127.0.0.1", port: upstream)
            {
                channel in
                channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel) }
            }
            try await server.executeThenClose { fromServer, toServer in
                try await outbound.write(ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n"))
                async let answers: Void = TestProxy.pass(fromServer, to: outbound)
                while let bytes = try await fromClient.next() { try await toServer.write(bytes) }
                toServer.finish()
                try await answers
            }
        }
    }

    private static func pass(
        _ bytes: NIOAsyncChannelInboundStream<ByteBuffer>, to outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) async throws {
        for try await bytes in bytes { try await outbound.write(bytes) }
        outbound.finish()
    }
}
