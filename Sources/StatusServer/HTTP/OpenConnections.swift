internal import NIOCore
internal import NIOHTTPTypes
internal import Synchronization

/// The connections of one or several listeners, up to a limit, above which the oldest one of the client with the most is closed.
///
/// Clients that keep connections open can neither use up this process's descriptors nor lock out other clients: a client with few
/// connections keeps them, however many another one opens, and a new connection gets its response long before it is the oldest one.
public final class OpenConnections: Sendable {
    private struct Entry {
        var channel: any Channel
        var listener: ObjectIdentifier
        var client: Client
    }

    /// The address of a client; nil for a Unix socket.
    private typealias Client = String?

    private struct State {
        var entries: [UInt64: Entry] = [:]
        /// The numbers of each client, in order.
        var numbers: [Client: [UInt64]] = [:]
        var next: UInt64 = 0

        mutating func add(_ entry: Entry) -> UInt64 {
            defer { next += 1 }
            entries[next] = entry
            numbers[entry.client, default: []].append(next)
            return next
        }

        mutating func remove(_ number: UInt64) -> Entry? {
            guard let entry = entries.removeValue(forKey: number) else { return nil }
            numbers[entry.client]?.removeAll { $0 == number }
            if numbers[entry.client]?.isEmpty ?? false { numbers[entry.client] = nil }
            return entry
        }

        /// The oldest connection of the client with the most. Of several with as many, that with the oldest connection.
        var expendable: UInt64? {
            numbers.values.max { ($0.count, $1.first ?? 0) < ($1.count, $0.first ?? 0) }?.first
        }
    }

    private let limit: Int
    private let state = Mutex(State())

    public init(limit: Int) { self.limit = limit }

    public var count: Int { state.withLock(\.entries.count) }

    func admit(_ channel: any Channel, of listener: ObjectIdentifier) {
        let client = channel.remoteAddress?.ipAddress
        let (number, expendable) = state.withLock { state in
            let number = state.add(Entry(channel: channel, listener: listener, client: client))
            guard state.entries.count > limit, let expendable = state.expendable else { return (number, nil as Entry?) }
            return (number, state.remove(expendable))
        }
        expendable?.channel.close(promise: nil)
        channel.closeFuture.whenComplete { _ in _ = self.state.withLock { $0.remove(number) } }
    }

    func closeAll(of listener: ObjectIdentifier) {
        let closing = state.withLock { state in state.entries.values.filter { $0.listener == listener } }
        for entry in closing { entry.channel.close(promise: nil) }
    }
}

/// Registers connections when they are accepted, before anything is read from them.
final class ConnectionAdmission: ChannelInboundHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel

    private let connections: OpenConnections

    init(_ connections: OpenConnections) { self.connections = connections }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        connections.admit(unwrapInboundIn(data), of: ObjectIdentifier(context.channel))
        context.fireChannelRead(data)
    }
}

/// Closes a connection whose client sends the body of a request too slowly or does not read the response.
///
/// The idle timeout applies to connections between requests and to those that do not send a head.
final class ExchangeDeadline: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let limit: TimeAmount
    private var unanswered = 0
    private var deadline: Scheduled<Void>?

    init(_ limit: TimeAmount) { self.limit = limit }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head = unwrapInboundIn(data) {
            unanswered += 1
            if unanswered == 1 { restart(context) }
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .end = unwrapOutboundIn(data) else {
            context.write(data, promise: promise)
            return
        }
        // Answered only when the kernel has the response.
        let written = promise ?? context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        written.futureResult.whenSuccess {
            let (handler, context) = bound.value
            handler.answered(context)
        }
        context.write(data, promise: written)
    }

    private func answered(_ context: ChannelHandlerContext) {
        unanswered -= 1
        if unanswered > 0 { restart(context) } else { deadline?.cancel() }
    }

    private func restart(_ context: ChannelHandlerContext) {
        deadline?.cancel()
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: limit) { channel.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }
}
