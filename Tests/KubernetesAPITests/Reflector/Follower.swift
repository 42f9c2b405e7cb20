import Kubernetes
import KubernetesAPI
import Logging
import Model
import Synchronization
import Testing

@testable import APIServerForTests

/// A source that follows a test server, and the state published so far.
final class Follower: Sendable {
    struct Seen {
        var state = ClusterState()
        var isSynced = false
        var isIncomplete = false
        /// The number of deletions, including those of objects that were added again.
        var deletions = 0
        var changes = 0
        var otherNodes: [OtherNodes] = []
    }

    let source: APISource
    private let seen = Mutex(Seen())

    private init(_ source: APISource) {
        self.source = source
    }

    /// Short times for tests.
    static let settings = ReflectorSettings(
        minimumDelay: .milliseconds(20), maximumDelay: .milliseconds(200), maximumRetryAfter: .milliseconds(300),
        shortWatch: .milliseconds(1), pageLimit: 3)

    static func clientSettings(_ contentType: ContentType = .json, readTimeout: Duration = .seconds(20)) -> APIClientSettings {
        APIClientSettings(
            contentType: contentType, qps: -1, version: "test", connectTimeout: .seconds(5), readTimeout: readTimeout,
            credentialsInterval: .milliseconds(50))
    }

    /// Follows a server during `body`.
    static func following(
        _ access: APIAccess, settings: ReflectorSettings = Follower.settings, otherNodes: APISource.OtherNodesSettings? = .init(),
        client: APIClientSettings = Follower.clientSettings(),
        _ body: @escaping @Sendable (Follower) async throws -> Void
    ) async throws {
        let client = APIClient(access, settings: client, logger: quiet)
        let follower = Follower(APISource(client, nodeName: "node1", settings: settings, otherNodes: otherNodes, logger: quiet))
        do {
            try await withThrowingTaskGroup { group in
                group.addTask { try await follower.source.run() }
                group.addTask { await follower.collect() }
                defer { group.cancelAll() }
                try await body(follower)
            }
        } catch {
            await client.close()
            throw error
        }
        await client.close()
    }

    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    func now() -> Seen { seen.withLock { $0 } }

    private func collect() async {
        for await _ in source.feed.wakeups {
            let batch = source.feed.take()
            seen.withLock { seen in
                seen.isSynced = batch.synced
                seen.isIncomplete = batch.isIncomplete
                for change in batch.changes {
                    seen.state.apply(change)
                    seen.changes += 1
                    switch change {
                    case .service(_, nil), .endpointSlice(_, nil), .node(_, nil): seen.deletions += 1
                    case .otherNodes(let otherNodes): seen.otherNodes.append(otherNodes)
                    default: break
                    }
                }
            }
        }
    }
}

extension TestAPIServer {
    var access: APIAccess {
        get throws {
            guard let address = ServerAddress(url) else { throw NotAnAddress() }
            return APIAccess(server: address)
        }
    }

    struct NotAnAddress: Error {}

    /// Returns the server's objects, decoded.
    func objects<Object: Reflected>(of type: Object.Type) throws -> [NamespacedName: Object] {
        let items = withState { $0.store.sorted(Object.resource.plural) }
        let resource = try #require(ServerResource.named(Object.resource.plural))
        let list = try WireDecoder<Object>(contentType: .json).list(WireEncoding.json.list(items, of: resource, version: 1))
        return Dictionary(uniqueKeysWithValues: list.items.map { ($0.object.namespacedName, $0.object) })
    }

    /// Whether a follower has the same objects as the server.
    func isMirrored(by follower: Follower) throws -> Bool {
        let seen = follower.now()
        let slices = Dictionary(
            uniqueKeysWithValues: seen.state.slices.values.flatMap(\.all).map { ($0.metadata.namespacedName, $0) })
        let services = try objects(of: Service.self)
        let nodes = try objects(of: Node.self).values
        return try seen.isSynced && seen.state.services == services && slices == objects(of: EndpointSlice.self)
            && Set(seen.state.nodes.values) == Set(nodes)
    }
}

/// Waits for a condition; fails if it is not met within `limit`.
func expectEventually(
    within limit: Duration = .seconds(300), sourceLocation: SourceLocation = #_sourceLocation, _ condition: @Sendable () throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while ContinuousClock.now < end {
        if try condition() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    try #require(try condition(), sourceLocation: sourceLocation)
}
