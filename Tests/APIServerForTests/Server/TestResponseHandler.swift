import NIOCore
import NIOHTTP1

typealias TestResponsePart = HTTPPart<HTTPResponseHead, ByteBuffer>

/// Puts bytes into what the HTTP encoder wants.
final class TestResponseHandler: ChannelOutboundHandler {
    typealias OutboundIn = TestResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head): context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body(let buffer): context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: promise)
        case .end(let trailers): context.write(wrapOutboundOut(.end(trailers)), promise: promise)
        }
    }
}
