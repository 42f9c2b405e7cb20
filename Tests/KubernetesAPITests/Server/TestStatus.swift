import NIOHTTP1

/// A refusal by a test API server.
struct TestStatus: Sendable {
    var code: Int
    var reason: String
    var retryAfter: Int?
    /// Whether it comes as the event of a watch that was let in.
    var asEvent: Bool

    init(_ code: Int, reason: String, retryAfter: Int? = nil, asEvent: Bool = false) {
        self.code = code
        self.reason = reason
        self.retryAfter = retryAfter
        self.asEvent = asEvent
    }

    var json: String {
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"as told\",\"reason\":\"\(reason)\",\"code\":\(code)}"
    }

    var headers: HTTPHeaders { retryAfter.map { ["Retry-After": "\($0)"] } ?? [:] }
}
