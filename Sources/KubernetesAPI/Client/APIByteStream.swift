internal import AsyncHTTPClient
internal import NIOCore

/// The body of an answer as it comes: bytes are taken from the connection only as fast as they are asked for, once.
public struct APIByteStream: AsyncSequence, Sendable {
    public typealias Element = [UInt8]
    public typealias Failure = APIError

    public let contentType: ContentType
    private let body: HTTPClientResponse.Body
    private let onSilence: @Sendable () async -> Void

    init(_ body: HTTPClientResponse.Body, contentType: ContentType, onSilence: @escaping @Sendable () async -> Void) {
        self.body = body
        self.contentType = contentType
        self.onSilence = onSilence
    }

    public func makeAsyncIterator() -> Iterator { Iterator(base: body.makeAsyncIterator(), onSilence: onSilence) }

    public struct Iterator: AsyncIteratorProtocol {
        fileprivate var base: HTTPClientResponse.Body.AsyncIterator
        fileprivate let onSilence: @Sendable () async -> Void

        public mutating func next() async throws(APIError) -> [UInt8]? {
            do {
                guard let buffer = try await base.next(isolation: #isolation) else { return nil }
                return Array(buffer.readableBytesView)
            } catch {
                let error = APIError(transport: error)
                if error == .silent { await onSilence() }
                throw error
            }
        }
    }
}
