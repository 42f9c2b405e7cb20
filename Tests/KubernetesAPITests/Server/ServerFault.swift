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
    /// Sends bytes that mean nothing, as if they were the answer.
    case garbage
    /// Answers, but only after this.
    case slow(Duration)
}

/// What a test API server can be asked for.
enum ServerCall: Hashable, Sendable {
    case list(String)
    case watch(String)

    var plural: String {
        switch self {
        case .list(let plural), .watch(let plural): plural
        }
    }
}

/// What goes out on a watch that is open.
enum WatchItem: Sendable {
    case text(String)
    /// Ends the answer as it should be ended.
    case end
    /// Breaks the connection off.
    case cut
    /// Nothing goes out any more, and the connection stays.
    case hang
}

/// How a test API server takes a request for a streamed list.
enum StreamingLists: Sendable {
    case supported
    /// As an API server without the feature does.
    case invalid
    /// As an API server with etcd 3.4 does.
    case errorEvent
}
