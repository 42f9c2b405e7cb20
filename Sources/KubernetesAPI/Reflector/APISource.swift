public import Kubernetes
public import Logging

/// The API server as a source of objects: Services, their slices and this Node, as kube-proxy watches them.
///
/// The feed counts as synced when Services and EndpointSlices have both been listed; the Node comes when it comes.
public final class APISource: ClusterSource {
    public let feed = ChangeFeed()

    private let client: APIClient
    private let nodeName: String
    private let settings: ReflectorSettings
    private let events: any EventRecorder
    private let logger: Logger
    private let progress: FeedProgress

    /// The client stays the caller's to close. Objects that cannot be read are told of in the log and, on the objects, as `events`.
    public init(
        _ client: APIClient, nodeName: String, settings: ReflectorSettings = ReflectorSettings(), events: any EventRecorder = NoEvents(),
        logger: Logger
    ) {
        self.client = client
        self.nodeName = nodeName
        self.settings = settings
        self.events = events
        self.logger = logger
        progress = FeedProgress(feed, essential: [Service.resource, EndpointSlice.resource])
    }

    /// Follows the objects until the task is cancelled.
    public func run() async throws {
        await withTaskGroup { group in
            group.addTask { await self.reflector(of: Service.self, .services).run() }
            group.addTask { await self.reflector(of: EndpointSlice.self, .endpointSlices).run() }
            group.addTask { await self.reflector(of: Node.self, .named(self.nodeName)).run() }
        }
    }

    private func reflector<Object: Reflected>(of type: Object.Type, _ selection: Selection) -> Reflector<Object> {
        Reflector(client, selection: selection, settings: settings, feed: feed, progress: progress, events: events, logger: logger)
    }
}
