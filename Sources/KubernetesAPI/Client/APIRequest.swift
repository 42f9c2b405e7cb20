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

    /// A parameter of the query, before it is encoded.
    public struct Parameter: Hashable, Sendable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// What is sent, and as what: `application/merge-patch+json`.
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

    /// The path with its query, encoded (RFC 3986).
    public var target: String {
        guard !query.isEmpty else { return path }
        let pairs = query.map { "\($0.name.percentEncoded)=\($0.value.percentEncoded)" }
        return "\(path)?\(pairs.joined(separator: "&"))"
    }
}

/// A whole answer that says success.
public struct APIResponse: Hashable, Sendable {
    public var code: Int
    public var contentType: ContentType
    public var body: [UInt8]

    public init(code: Int, contentType: ContentType, body: [UInt8]) {
        self.code = code
        self.contentType = contentType
        self.body = body
    }
}

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
