public import Kubernetes
public import Logging
public import Model

/// The API server as a source of objects: Services, their slices and this Node, as kube-proxy watches them; and the other Nodes while a Service has an address that
/// might be one of theirs.
///
/// The feed counts as synced when Services and EndpointSlices have both been listed, and the other Nodes where they are needed; this Node comes when it comes.
public final class APISource: ClusterSource {
    /// How the other Nodes are followed.
    public struct OtherNodesSettings: Sendable {
        public var following: ReflectorSettings.Following
        /// How long Services wait for the first list of the other Nodes: longer than a streamed list may take, so that a paged one has its chance.
        public var limit: Duration
        /// How long the Nodes are followed after the last Service that needs them is gone.
        public var linger: Duration
        /// Which external IPs are served.
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

    /// The client stays the caller's to close. Objects that cannot be read are reported in the log and, on the objects, as `events`.
    ///
    /// - Parameter otherNodes: nil never follows them.
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
                    // What one of them finds out about the server holds for the next.
                    settings.streamsLists = await self.followOtherNodes(otherNodes, settings)
                }
            }
        }
    }

    /// Follows the other Nodes until no Service needs them any more.
    ///
    /// - Returns: whether the server streams lists.
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
            // Cancelled means that the program ends.
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
        // Cancelled means that nobody waits any more.
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
