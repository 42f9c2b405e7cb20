internal import AsyncHTTPClient
internal import NIOCore
internal import Text

/// A request to the API server.
public struct APIRequest: Hashable, Sendable {
    public enum Method: String, Hashable, Sendable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"
    }

    /// A query parameter, unencoded.
    public struct Parameter: Hashable, Sendable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The bytes to send, and their content type: `application/merge-patch+json`.
    public struct Body: Hashable, Sendable {
        public var bytes: [UInt8]
        public var contentType: String

        public init(_ bytes: [UInt8], contentType: String) {
            self.bytes = bytes
            self.contentType = contentType
        }
    }

    public var method: Method
    /// `/api/v1/services`
    public var path: String
    public var query: [Parameter]
    public var body: Body?

    public init(_ method: Method = .get, _ path: String, query: [Parameter] = [], body: Body? = nil) {
        self.method = method
        self.path = path
        self.query = query
        self.body = body
    }

    /// The path with its percent-encoded query (RFC 3986).
    public var target: String {
        guard !query.isEmpty else { return path }
        let pairs = query.map { "\($0.name.percentEncoded)=\($0.value.percentEncoded)" }
        return "\(path)?\(pairs.joined(separator: "&"))"
    }
}

/// A complete successful response.
public struct APIResponse: Hashable, Sendable {
    public var code: Int
    public var contentType: ContentType
    public var body: WireBytes

    public init(code: Int, contentType: ContentType, body: WireBytes) {
        self.code = code
        self.contentType = contentType
        self.body = body
    }
}

/// The body of a response as a single-pass stream; bytes are read from the connection only as they are consumed.
public struct APIByteStream: AsyncSequence, Sendable {
    public typealias Element = WireBytes
    public typealias Failure = APIError

    public let contentType: ContentType
    private let body: HTTPClientResponse.Body
    private let onTimeout: @Sendable () async -> Void

    init(_ body: HTTPClientResponse.Body, contentType: ContentType, onTimeout: @escaping @Sendable () async -> Void) {
        self.body = body
        self.contentType = contentType
        self.onTimeout = onTimeout
    }

    public func makeAsyncIterator() -> Iterator { Iterator(base: body.makeAsyncIterator(), onTimeout: onTimeout) }

    public struct Iterator: AsyncIteratorProtocol {
        fileprivate var base: HTTPClientResponse.Body.AsyncIterator
        fileprivate let onTimeout: @Sendable () async -> Void

        public mutating func next() async throws(APIError) -> WireBytes? {
            do {
                guard let buffer = try await base.next(isolation: #isolation) else { return nil }
                return WireBytes(buffer)
            } catch {
                let error = APIError(transport: error)
                if error == .timedOut { await onTimeout() }
                throw error
            }
        }
    }
}
