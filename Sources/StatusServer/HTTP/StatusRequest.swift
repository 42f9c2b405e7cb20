/// A request as far as answers depend on it.
public struct StatusRequest: Hashable, Sendable {
    /// `GET`, `PUT`…
    public var method: String
    /// Without the query.
    public var path: String
    /// Parameters in the query, `verbose` and `1` in `?verbose=1`; empty values where there are none.
    public var parameters: [String: String]
    /// The `Accept` header; empty where there is none.
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

    /// What nobody has a reason to exceed is refused (413).
    public static let bodyLimit = 4096
}

/// What is answered, but for `Date` and `Content-Length`, which the listener adds.
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

    /// As Go's servers answer: with a type, and a word to browsers not to guess another.
    static func of(_ status: Int, type: String, _ body: String, more: [Header] = []) -> StatusResponse {
        StatusResponse(
            status: status, headers: [Header("Content-Type", type), Header("X-Content-Type-Options", "nosniff")] + more, body: body)
    }

    static func text(_ body: String, status: Int = 200) -> StatusResponse { of(status, type: "text/plain; charset=utf-8", body) }

    static func json(_ body: String, status: Int = 200) -> StatusResponse { of(status, type: "application/json", body) }

    static let notFound = text("404 page not found\n", status: 404)
}
