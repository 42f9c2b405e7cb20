internal import Glibc
internal import NIOCore

/// One side of a connection that is handed on: what comes in here goes out at the partner's side.
///
/// No side reads more than the other takes. The end of what one side sends is handed on by itself; where a side breaks, so does the other.
/// Both sides run on one event loop.
final class RelayHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var partner: RelayHandler?
    private var context: ChannelHandlerContext?
    /// Whether reading waits for the partner to take more.
    private var isBackpressured = false
    /// Whether the peer has said that it sends no more.
    private var hasEnded = false
    /// Whether the peer has been told, or is about to be, that no more comes.
    private var isFinished = false
    private var isBroken = false

    static func pair() -> (RelayHandler, RelayHandler) {
        let (one, other) = (RelayHandler(), RelayHandler())
        one.partner = other
        other.partner = one
        return (one, other)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        startRelayIfConnected()
    }

    func channelActive(context: ChannelHandlerContext) {
        startRelayIfConnected()
        context.fireChannelActive()
    }

    private func startRelayIfConnected() {
        guard let partner, context?.channel.isActive == true, partner.context?.channel.isActive == true else { return }
        readOn()
        partner.readOn()
    }

    // MARK: What the peer sends

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        partner?.context?.write(data, promise: nil)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        partner?.context?.flush()
        readOn()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, let partner, partner.isBackpressured { partner.readOn() }
    }

    private func readOn() {
        isBackpressured = partner?.context?.channel.isWritable == false
        if !isBackpressured { context?.read() }
    }

    // MARK: The end

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            hasEnded = true
            partner?.finish()
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        isBroken = true
        context.close(promise: nil)
    }

    /// The channel is closed.
    func handlerRemoved(context: ChannelHandlerContext) {
        let partner = partner
        self.partner = nil
        self.context = nil
        if !isFinished || isBroken {
            partner?.reset()
        } else if !hasEnded {
            // An end that comes after our own is told as the close of the channel.
            partner?.finish()
        }
    }

    /// Tells the peer that no more comes, after all that did.
    private func finish() {
        guard !isFinished, let context else { return }
        isFinished = true
        // A close that makes both directions closed would not wait for what has not been sent yet.
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(capacity: 0))).assumeIsolated().whenComplete { _ in
            context.close(mode: .output, promise: nil)
        }
    }

    private func reset() { context?.channel.reset() }
}

extension Channel {
    /// Closes it so that the peer sees an error, not an end. Has to be called on the channel's event loop.
    func reset() {
        // Where that fails the peer sees an end: nothing to tell anybody of.
        _ = (self as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        close(promise: nil)
    }
}
