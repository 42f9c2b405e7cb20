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

/// Runs `body` with the port of a backend on 127.0.0.1, which runs `serve` for each connection.
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
                        // Tests break connections on purpose.
                        group.addTask {
                            try? await client.executeThenClose {
                                try await serve($0, $1)
                                // The following close does not wait for unsent data.
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

/// Runs `body` with a connection to a port of 127.0.0.1.
func withClient<Result: Sendable>(
    of port: UInt16, address: String = "127.0.0.1",
    _ body: (NIOAsyncChannelInboundStream<ByteBuffer>, NIOAsyncChannelOutboundWriter<ByteBuffer>) async throws -> Result
) async throws -> Result {
    let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .channelOption(.allowRemoteHalfClosure, value: true)
        .connect(host: address, port: Int(port)) { channel in channel.eventLoop.makeCompletedFuture { try connection(channel) } }
    return try await client.executeThenClose { try await body($0, $1) }
}

/// Returns the answer to a client that sends `text` and closes its side; nil if the connection breaks.
func answer(_ port: UInt16, _ text: String = "hello") async -> String? {
    try? await withClient(of: port) { inbound, outbound in
        try await outbound.write(ByteBuffer(string: text))
        outbound.finish()
        var answer = ByteBuffer()
        for try await part in inbound { answer.writeImmutableBuffer(part) }
        return answer.readableBytes > 0 ? String(buffer: answer) : nil
    }
}

/// Waits for a condition up to five minutes.
func becomesTrue(_ condition: () async -> Bool) async throws -> Bool {
    for _ in 0..<15_000 {
        if await condition() { return true }
        try await Task.sleep(for: .milliseconds(20))
    }
    return false
}

/// Keeps the recorded events.
final class EventLog: EventRecorder {
    private let kept = Mutex<[ClusterEvent]>([])
    var events: [ClusterEvent] { kept.withLock { $0 } }
    func record(_ event: ClusterEvent) { kept.withLock { $0.append(event) } }
}
