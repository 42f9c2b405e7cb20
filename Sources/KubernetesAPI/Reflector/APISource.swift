public import Kubernetes
public import Logging
public import Model

/// The API server as the source of Services, EndpointSlices and this Node, selected as in kube-proxy; and of the other Nodes while a
/// Service has an address that may be one of theirs.
///
/// The feed is synced once Services and EndpointSlices are listed, and the other Nodes if they are needed; it does not wait for this Node.
public final class APISource: ClusterSource {
    /// How the other Nodes are followed.
    public struct OtherNodesSettings: Sendable {
        public var following: ReflectorSettings.Following
        /// How long Services wait for the first list of the other Nodes: longer than the limit of a streaming list, to leave time for a
        /// paginated one.
        public var limit: Duration
        /// How long the Nodes are followed after the last Service that needs them is removed.
        public var linger: Duration
        /// Whether an external IP may be served.
        public var allowsExternalIP: @Sendable (IPAddress) -> Bool

        public init(
            following: ReflectorSettings.Following = .watchUpTo(objects: 1000), limit: Duration = .seconds(90),
            linger: Duration = .seconds(3600),
            allowsExternalIP: @escaping @Sendable (IPAddress) -> Bool = { _ in true }
        ) {
            self.following = following
            self.limit = limit
            self.linger = linger
            self.allowsExternalIP = allowsExternalIP
        }
    }

    public let feed = ChangeFeed()

    private let client: APIClient
    private let nodeName: String
    private let settings: ReflectorSettings
    private let otherNodes: OtherNodesSettings?
    private let events: any EventRecorder
    private let logger: Logger
    private let progress: FeedProgress

    /// The caller closes the client. Objects that fail to decode are reported in the log and, on the objects, as `events`.
    ///
    /// - Parameter otherNodes: nil to never follow the other Nodes.
    public init(
        _ client: APIClient, nodeName: String, settings: ReflectorSettings = ReflectorSettings(),
        otherNodes: OtherNodesSettings? = OtherNodesSettings(), events: any EventRecorder = NoEvents(), logger: Logger
    ) {
        self.client = client
        self.nodeName = nodeName
        self.settings = settings
        self.otherNodes = otherNodes
        self.events = events
        self.logger = logger
        progress = FeedProgress(
            feed, demand: OtherNodesDemand(linger: otherNodes?.linger ?? .zero), allowsExternalIP: otherNodes?.allowsExternalIP)
    }

    /// Follows the objects until the task is cancelled.
    public func run() async throws {
        await withTaskGroup { group in
            group.addTask { _ = await self.reflector(of: Service.self, .services, .services).run() }
            group.addTask { _ = await self.reflector(of: EndpointSlice.self, .endpointSlices, .endpointSlices).run() }
            group.addTask { _ = await self.reflector(of: Node.self, .named(self.nodeName), .node).run() }
            guard let otherNodes = self.otherNodes else { return }
            group.addTask {
                var settings = self.settings
                settings.following = otherNodes.following
                for await _ in self.progress.nodesNeeded {
                    // Carry over whether the server supports streaming lists.
                    settings.streamsLists = await self.followOtherNodes(otherNodes, settings)
                }
            }
        }
    }

    /// Follows the other Nodes until no Service needs them.
    ///
    /// - Returns: whether the server supports streaming lists.
    private func followOtherNodes(_ otherNodes: OtherNodesSettings, _ settings: ReflectorSettings) async -> Bool {
        logger.info("Reading addresses of other Nodes for Services with external or load balancer IPs")
        let start = ContinuousClock.now
        let reflector = reflector(of: OtherNode.self, .others(than: nodeName), .otherNodes, settings)
        let reflection = await withTaskGroup(of: Reflection<OtherNode>?.self) { group in
            group.addTask { await reflector.run() }
            group.addTask {
                await self.stopWaitingForOtherNodes(after: otherNodes.limit)
                return nil
            }
            // Cancellation means that the program exits.
            while (try? await Task.sleep(for: otherNodes.linger / 10)) != nil,
                !progress.releaseNodes(at: Timestamp(nanoseconds: 0).advanced(by: start.duration(to: .now)))
            {}
            group.cancelAll()
            return await group.reduce(nil) { $0 ?? $1 }
        }
        if !Task.isCancelled {
            logger.info("Stopped reading addresses of other Nodes; no Service has an external or load balancer IP")
            progress.publish((reflection?.held.names ?? []).map { .node($0.name, nil) }, of: .otherNodes, isIncomplete: false)
        }
        return reflection?.state.streamsLists ?? settings.streamsLists
    }

    private func stopWaitingForOtherNodes(after limit: Duration) async {
        // Cancellation means that no Service is waiting any longer.
        guard (try? await Task.sleep(for: limit)) != nil, progress.stopWaitingForOtherNodes() else { return }
        logger.error(
            "Timed out listing Nodes; not checking external and load balancer IPs against Node addresses",
            metadata: ["waited": "\(limit)"])
    }

    private func reflector<Object: Reflected>(
        of type: Object.Type, _ selection: ObjectSelection, _ part: FeedProgress.Part, _ settings: ReflectorSettings? = nil
    ) -> Reflector<Object> {
        Reflector(
            client, selection: selection, settings: settings ?? self.settings, part: part, progress: progress, events: events,
            logger: logger)
    }
}
