/// How a test API server takes a request for a streamed list.
enum StreamingLists: String, Sendable {
    case supported
    /// As an API server without the feature does.
    case invalid
    /// As an API server with etcd 3.4 does.
    case errorEvent
    /// Sends all there is, and never says that this was all.
    case endless
}
