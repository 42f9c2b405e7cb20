import NIOCore
import NIOHTTP1

typealias TestResponsePart = HTTPPart<HTTPResponseHead, ByteBuffer>

/// Converts bytes to the parts that the HTTP encoder expects.
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
