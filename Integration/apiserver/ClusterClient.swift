internal import APIServerForTests
internal import KubernetesAPI

/// A client for objects as JSON.
struct ClusterClient: Sendable {
    let client: APIClient

    func list(_ plural: String, namespace: String?) async throws -> [JSON] {
        let path = ClusterClient.path(plural, namespace: namespace)
        return try JSON(try await client.send(APIRequest(.get, path)).body.bytes)["items"]?.items ?? []
    }

    /// Creates an object; an existing one is kept.
    func create(_ plural: String, namespace: String?, _ object: JSON) async throws {
        let body = APIRequest.Body(object.bytes, contentType: "application/json")
        do {
            _ = try await client.send(APIRequest(.post, ClusterClient.path(plural, namespace: namespace), body: body))
        } catch APIError.status(let status) where status.reason == "AlreadyExists" {
            return
        }
    }

    func replace(_ plural: String, namespace: String, name: String, _ object: JSON) async throws {
        let body = APIRequest.Body(object.bytes, contentType: "application/json")
        _ = try await client.send(APIRequest(.put, "\(ClusterClient.path(plural, namespace: namespace))/\(name)", body: body))
    }

    func patch(_ plural: String, namespace: String, name: String, _ patch: JSON) async throws {
        let body = APIRequest.Body(patch.bytes, contentType: "application/merge-patch+json")
        _ = try await client.send(APIRequest(.patch, "\(ClusterClient.path(plural, namespace: namespace))/\(name)", body: body))
    }

    static func path(_ plural: String, namespace: String?) -> String {
        let version = plural == "endpointslices" ? "/apis/discovery.k8s.io/v1" : "/api/v1"
        return namespace.map { "\(version)/namespaces/\($0)/\(plural)" } ?? "\(version)/\(plural)"
    }

    /// Runs tasks in order, with a limited number at the same time.
    static func each<Item: Sendable>(
        _ items: some Sequence<Item>, atOnce: Int = 32, _ body: @escaping @Sendable (Item) async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var running = 0
            for item in items {
                if running == atOnce { try await group.next() } else { running += 1 }
                group.addTask { try await body(item) }
            }
            try await group.waitForAll()
        }
    }
}
