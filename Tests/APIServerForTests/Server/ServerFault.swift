/// A fault that a test API server injects once, in place of its response.
enum ServerFault: Sendable {
    /// Responds with a Status.
    case status(Int, reason: String, retryAfter: Int? = nil)
    /// Responds to a watch with an ERROR event.
    case errorEvent(Int, reason: String)
    /// Closes the connection after this many bytes of the body.
    case cut(afterBytes: Int)
    /// Accepts the request and never responds.
    case hang
    /// Responds with success and an empty body.
    case empty
    /// Responds with meaningless bytes.
    case garbage
    /// Responds after this delay.
    case slow(Duration)

    static let garbageBytes = Array("\u{1}\u{2}k8s\u{0}\n}}{{\n".utf8)
}
