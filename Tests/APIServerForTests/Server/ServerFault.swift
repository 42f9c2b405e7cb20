/// How a test API server misbehaves once, instead of answering.
enum ServerFault: Sendable {
    /// Answers with a Status.
    case status(Int, reason: String, retryAfter: Int? = nil)
    /// Answers a watch with an ERROR event.
    case errorEvent(Int, reason: String)
    /// Breaks the connection off after so many bytes of the body.
    case cut(afterBytes: Int)
    /// Takes the request and never says a word.
    case hang
    /// Answers with success and an empty body.
    case empty
    /// Sends bytes that mean nothing, as if they were the answer.
    case garbage
    /// Answers, but only after this.
    case slow(Duration)

    static let garbageBytes = Array("\u{1}\u{2}k8s\u{0}\n}}{{\n".utf8)
}
