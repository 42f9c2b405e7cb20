/// Where Services, EndpointSlices and Nodes come from.
public protocol ClusterSource: Sendable {
    /// Where it puts what it learns.
    var feed: ChangeFeed { get }

    /// Keeps the feed current until the task is cancelled.
    func run() async throws
}
