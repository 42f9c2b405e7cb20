/// How a test API server handles a request for a streaming list.
enum StreamingLists: String, Sendable {
    case supported
    /// As an API server without the feature.
    case invalid
    /// As an API server with etcd 3.4.
    case errorEvent
    /// Sends all objects, but never the bookmark that ends the list.
    case endless
}
