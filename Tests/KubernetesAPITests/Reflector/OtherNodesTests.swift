import Kubernetes
import KubernetesAPI
import Model
import Testing

@testable import APIServerForTests

/// The addresses of other Nodes from the API server.
@Suite(.timeLimit(.minutes(10))) struct OtherNodesTests {
    private static func following(
        _ contentType: ContentType, _ otherNodes: APISource.OtherNodesSettings? = .init(),
        before: @Sendable (TestAPIServer) -> Void = { _ in },
        _ body: @escaping @Sendable (TestAPIServer, Follower) async throws -> Void
    ) async throws {
        try await withoutActuallyEscaping(before) { before in
            try await TestAPIServer.serving { server in
                server.put("nodes", .node("node1"), .node("node2", address: "10.99.0.3"), .node("node3", address: "10.99.0.4"))
                server.put("services", .service("web"))
                before(server)
                try await Follower.following(
                    try server.access, otherNodes: otherNodes, client: Follower.clientSettings(contentType)
                ) { follower in
                    try await body(server, follower)
                }
            }
        }
    }

    private static func addresses(_ follower: Follower) -> [String: [String]] {
        follower.now().state.nodes.mapValues { $0.addresses.map(\.address) }
    }

    /// Whether the other Nodes have been requested.
    private static func isSelected(_ server: TestAPIServer) -> Bool {
        !server.requests("/nodes?fieldSelector=metadata.name!=node1").isEmpty
    }

    private static let all = ["node1": ["192.0.2.1"], "node2": ["10.99.0.3"], "node3": ["10.99.0.4"]]

    @Test(arguments: ContentType.allCases)
    func `Other Nodes are listed and followed only once a Service has an address that may be theirs`(contentType: ContentType) async throws
    {
        try await Self.following(contentType) { server, follower in
            try await expectEventually {
                follower.now().isSynced && server.watcherCount("nodes") == 1 && follower.now().state.nodes.count == 1
            }
            server.put("services", .service("web", port: 81))
            try await expectEventually { follower.now().state.services.values.contains { $0.ports.first?.port == 81 } }
            #expect(!Self.isSelected(server) && follower.now().otherNodes.isEmpty)
            server.put("services", .loadBalancer("lb", ingress: "10.99.0.3"))
            try await expectEventually { follower.now().otherNodes.last == .known }
            #expect(Self.addresses(follower) == Self.all && Self.isSelected(server))
            let changes = follower.now().changes
            // A kubelet updates its Node every few minutes.
            server.put("nodes", .node("node3", address: "10.99.0.4"))
            server.put("nodes", .node("node4", address: "10.99.0.5"), .node("node2", address: "10.99.0.33"))
            server.delete("nodes", .node("node3"))
            try await expectEventually {
                Self.addresses(follower) == ["node1": ["192.0.2.1"], "node2": ["10.99.0.33"], "node4": ["10.99.0.5"]]
            }
            try await expectEventually { server.watcherCount("nodes") == 2 }
            #expect(follower.now().changes == changes + 3, "an update of a Node without new addresses is not a change")
        }
    }

    @Test(arguments: ContentType.allCases)
    func `The feed is not synced before other Nodes are listed if a Service needs them at the start`(contentType: ContentType) async throws
    {
        try await Self.following(
            contentType,
            before: {
                $0.put("services", .loadBalancer("lb", ingress: "10.99.0.3"))
                $0.fail(.watch("nodes"), .slow(.milliseconds(300)), .slow(.milliseconds(300)))
            }
        ) { _, follower in
            try await expectEventually { follower.now().isSynced }
            #expect(follower.now().state.otherNodes == .known && Self.addresses(follower)["node2"] == ["10.99.0.3"])
        }
    }

    @Test(arguments: ContentType.allCases)
    func `Services wait for a limited time if other Nodes cannot be listed, and are checked later`(contentType: ContentType) async throws {
        let settings = APISource.OtherNodesSettings(limit: .milliseconds(200))
        try await Self.following(
            contentType, settings,
            before: {
                $0.put("services", .loadBalancer("lb", ingress: "10.99.0.3"))
                $0.withState { state in
                    state.streamingLists = .invalid
                    state.faults[.list("nodes")] = Array(repeating: .status(500, reason: "InternalError"), count: 100_000)
                }
            }
        ) { server, follower in
            try await expectEventually { follower.now().isSynced && follower.now().state.otherNodes == .unavailable }
            server.withState { $0.faults = [:] }
            try await expectEventually { follower.now().state.otherNodes == .known }
            #expect(Self.addresses(follower)["node2"] == ["10.99.0.3"])
        }
    }

    @Test(arguments: ContentType.allCases)
    func `Services do not wait if the server refuses to list other Nodes`(contentType: ContentType) async throws {
        try await Self.following(
            contentType,
            before: {
                $0.put("services", .loadBalancer("lb", ingress: "10.99.0.3"))
                $0.withState { $0.absent = ["nodes"] }
            }
        ) { server, follower in
            try await expectEventually { follower.now().isSynced }
            #expect(follower.now().state.otherNodes == .unavailable)
            server.withState { $0.absent = [] }
            try await expectEventually { follower.now().state.otherNodes == .known && !follower.now().otherNodes.isEmpty }
            #expect(Self.addresses(follower)["node2"] == ["10.99.0.3"])
        }
    }

    @Test func `Lists replace the watch if there are more other Nodes than the limit`() async throws {
        try await Self.following(.protobuf, .init(following: .watchUpTo(objects: 1))) { server, follower in
            server.put("services", .loadBalancer("lb", ingress: "10.99.0.3"))
            try await expectEventually { follower.now().otherNodes.last == .known && follower.now().state.nodes.count == 3 }
            // Only this node's own Node is watched.
            try await expectEventually { server.watcherCount("nodes") == 1 }
            server.put("nodes", .node("node1", address: "10.99.0.9"))
            try await expectEventually { Self.addresses(follower)["node1"] == ["10.99.0.9"] }
        }
    }

    @Test func `Other Nodes are listed again when a Service needs them after a pause`() async throws {
        try await Self.following(.protobuf, .init(linger: .milliseconds(100))) { server, follower in
            for _ in 1...3 {
                let before = server.requests("metadata.name!=node1").count
                server.put("services", .loadBalancer("lb", ingress: "10.99.0.3"))
                try await expectEventually { Self.addresses(follower) == Self.all }
                try await expectEventually { follower.now().state.otherNodes == .known }
                server.delete("services", .service("lb"))
                try await expectEventually { follower.now().state.nodes.count == 1 && server.watcherCount("nodes") == 1 }
                // On a slow machine a request may be repeated.
                #expect(server.requests("metadata.name!=node1").count > before)
            }
        }
    }

    @Test func `Other Nodes are never listed if configured to be ignored`() async throws {
        try await Self.following(.protobuf, nil) { server, follower in
            server.put("services", .loadBalancer("lb", ingress: "10.99.0.3"))
            try await expectEventually { follower.now().state.services.count == 2 && follower.now().state.nodes.count == 1 }
            #expect(!Self.isSelected(server) && follower.now().otherNodes.isEmpty)
        }
    }

    @Test(arguments: ContentType.allCases) func `Only the names and IP addresses of other Nodes are kept`(contentType: ContentType) throws {
        let server = try OtherNodesTests.list(contentType)
        #expect(
            server.items.map(\.object.node) == [
                Node(metadata: ObjectMeta(name: "node2"), addresses: [NodeAddress(type: "InternalIP", address: "10.99.0.3")])
            ])
    }

    private static func list(_ contentType: ContentType) throws -> ObjectList<OtherNode> {
        let node = try JSON(
            Array(
                #"""
                {"metadata":{"name":"node2","labels":{"topology.kubernetes.io/zone":"a"},"creationTimestamp":"2026-01-01T00:00:00Z"},
                "spec":{"podCIDRs":["10.244.2.0/24"],"taints":[{"key":"a","effect":"NoSchedule"}]},
                "status":{"addresses":[{"type":"InternalIP","address":"10.99.0.3"},{"type":"Hostname","address":"node2"}]}}
                """#.utf8))
        let bytes = try TestAPIServer.list(of: "nodes", holding: [node], inProtobuf: contentType == .protobuf)
        return try WireDecoder<OtherNode>(contentType: contentType).list(bytes)
    }
}
