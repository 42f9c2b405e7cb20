/// The settings of a test API server.
public struct ServerSettings: Sendable {
    public var host = "127.0.0.1"
    /// 0 for any free port.
    public var port = 0
    /// How often all watchers get a bookmark; nil for never.
    public var bookmarkInterval: Duration?
    /// The number of events kept for watches that begin at an earlier version.
    public var historyLimit = 100_000
    /// The number of events that a watch may lag behind.
    public var watchLimit = 10_000
    /// The path prefixes that require a client certificate.
    public var certifiedPaths: [String] = []

    public init() {}
}
