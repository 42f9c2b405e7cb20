/// Hears of requests to the API server, for metrics. Nothing of it may wait or fail.
public protocol APIClientObserver: Sendable {
    /// A request was answered, or began to be.
    ///
    /// - Parameter code: the status; nil where no answer came.
    func answered(_ method: APIRequest.Method, code: Int?)

    /// A request and its whole answer took that long, with the wait for its turn. Not told of watches, whose answers have no end.
    func finished(_ method: APIRequest.Method, after duration: Duration)
}

/// Nobody asks.
public struct NoAPIClientObserver: APIClientObserver {
    public init() {}

    public func answered(_ method: APIRequest.Method, code: Int?) {}
    public func finished(_ method: APIRequest.Method, after duration: Duration) {}
}
