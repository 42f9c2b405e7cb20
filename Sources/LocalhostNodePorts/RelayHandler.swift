internal import Glibc
internal import NIOCore

/// One side of a relayed connection: data received here is sent by the partner.
///
/// Neither side reads more than the other can write. A half-close is passed on; a reset of one side resets the other. Both sides run on one
/// event loop.
final class RelayHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var partner: RelayHandler?
    private var context: ChannelHandlerContext?
    /// Whether reading is paused until the partner is writable.
    private var isBackpressured = false
    /// Whether the peer has closed its sending direction.
    private var hasEnded = false
    /// Whether this side has closed, or is closing, its sending direction.
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

    // MARK: Data from the peer

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

    // MARK: Closing

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
            // If this side finished first, the peer's half-close is reported as the close of the channel.
            partner?.finish()
        }
    }

    /// Closes the sending direction, after all data is sent.
    private func finish() {
        guard !isFinished, let context else { return }
        isFinished = true
        // A close that leaves both directions closed would not wait for unsent data.
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(capacity: 0))).assumeIsolated().whenComplete { _ in
            context.close(mode: .output, promise: nil)
        }
    }

    private func reset() { context?.channel.reset() }
}

extension Channel {
    /// Closes the channel with a reset instead of an end of stream. Must be called on the channel's event loop.
    func reset() {
        // If this fails, the peer sees an end of stream, which is acceptable.
        _ = (self as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        close(promise: nil)
    }
}
