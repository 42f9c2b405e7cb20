import Kubernetes
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import LocalhostNodePorts

typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

private func connection(_ channel: any Channel) throws -> Connection {
    try Connection(wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
}

/// Whoever the relay hands connections on to: runs `body` for each of them, on a free port of 127.0.0.1.
func withBackend(
    _ serve: @escaping @Sendable (NIOAsyncChannelInboundStream<ByteBuffer>, NIOAsyncChannelOutboundWriter<ByteBuffer>) async throws -> Void,
    _ body: (UInt16) async throws -> Void
) async throws {
    let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .childChannelOption(.allowRemoteHalfClosure, value: true)
        .bind(host: "127.0.0.1", port: 0) { channel in channel.eventLoop.makeCompletedFuture { try connection(channel) } }
    let port = try #require(server.channel.localAddress?.port.flatMap { UInt16(exactly: $0) })
    try await withThrowingTaskGroup { group in
        group.addTask {
            try await withThrowingDiscardingTaskGroup { group in
                try await server.executeThenClose { clients in
                    for try await client in clients {
                        // What a test breaks off on purpose is no failure of the backend's.
                        group.addTask {
                            try? await client.executeThenClose {
                                try await serve($0, $1)
                                // The close that follows does not wait for what is not sent yet.
                                try await client.channel.writeAndFlush(ByteBuffer())
                            }
                        }
                    }
                }
            }
        }
        try await body(port)
        group.cancelAll()
    }
}

/// A client of 127.0.0.1.
func withClient<Result: Sendable>(
    of port: UInt16, address: String = "127.0.0.1",
    _ body: (NIOAsyncChannelInboundStream<ByteBuffer>, NIOAsyncChannelOutboundWriter<ByteBuffer>) async throws -> Result
) async throws -> Result {
    let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .channelOption(.allowRemoteHalfClosure, value: true)
        .connect(host: address, port: Int(port)) { channel in channel.eventLoop.makeCompletedFuture { try connection(channel) } }
    return try await client.executeThenClose { try await body($0, $1) }
}

/// What a client that says `text` and then no more is answered; nil where the connection breaks.
func answer(_ port: UInt16, _ text: String = "hello") async -> String? {
    try? await withClient(of: port) { inbound, outbound in
        try await outbound.write(ByteBuffer(string: text))
        outbound.finish()
        var answer = ByteBuffer()
        for try await part in inbound { answer.writeImmutableBuffer(part) }
        return answer.readableBytes > 0 ? String(buffer: answer) : nil
    }
}

/// Waits until something is so, generously.
func comes(_ condition: () async -> Bool) async throws -> Bool {
    for _ in 0..<15_000 {
        if await condition() { return true }
        try await Task.sleep(for: .milliseconds(20))
    }
    return false
}

/// Keeps events for a look at them.
final class EventLog: EventRecorder {
    private let kept = Mutex<[ClusterEvent]>([])
    var events: [ClusterEvent] { kept.withLock { $0 } }
    func record(_ event: ClusterEvent) { kept.withLock { $0.append(event) } }
}
