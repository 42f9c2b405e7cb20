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
