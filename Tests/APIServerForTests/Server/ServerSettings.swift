/// How a test API server is set up.
public struct ServerSettings: Sendable {
    public var host = "127.0.0.1"
    /// 0 for any that is free.
    public var port = 0
    /// How often all who watch are told how far they are; nil for never.
    public var bookmarkInterval: Duration?
    /// How many events are kept for watches that begin in the past.
    public var historyLimit = 100_000
    /// How many events a watch may be behind.
    public var watchLimit = 10_000
    /// The beginnings of paths that only those with a client's certificate may ask for.
    public var certifiedPaths: [String] = []

    public init() {}
}
