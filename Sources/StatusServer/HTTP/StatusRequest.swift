/// The parts of a request that responses depend on.
public struct StatusRequest: Hashable, Sendable {
    /// `GET`, `PUT`…
    public var method: String
    /// The path, without the query.
    public var path: String
    /// The parameters of the query, such as `verbose` and `1` in `?verbose=1`; a parameter without a value is empty.
    public var parameters: [String: String]
    /// The `Accept` header; empty if absent.
    public var accept: String
    /// At most `bodyLimit` bytes.
    public var body: String

    public init(method: String = "GET", path: String, parameters: [String: String] = [:], accept: String = "", body: String = "") {
        self.method = method
        self.path = path
        self.parameters = parameters
        self.accept = accept
        self.body = body
    }

    /// The maximum size of a body in bytes; larger ones are refused (413).
    public static let bodyLimit = 4096
}

/// A response, without `Date` and `Content-Length`, which the listener adds.
public struct StatusResponse: Hashable, Sendable {
    public struct Header: Hashable, Sendable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// 200, 404, 503…
    public var status: Int
    public var headers: [Header]
    public var body: String

    public init(status: Int, headers: [Header], body: String) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// Returns a response with the headers of Go's servers: the type, and `nosniff` for browsers.
    static func of(_ status: Int, type: String, _ body: String, more: [Header] = []) -> StatusResponse {
        StatusResponse(
            status: status, headers: [Header("Content-Type", type), Header("X-Content-Type-Options", "nosniff")] + more, body: body)
    }

    static func text(_ body: String, status: Int = 200) -> StatusResponse { of(status, type: "text/plain; charset=utf-8", body) }

    static func json(_ body: String, status: Int = 200) -> StatusResponse { of(status, type: "application/json", body) }

    static let notFound = text("404 page not found\n", status: 404)
}
