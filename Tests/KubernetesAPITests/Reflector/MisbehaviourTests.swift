import Kubernetes
import KubernetesAPI
import Model
import Testing

@testable import APIServerForTests

/// A server, its follower, and failures between them: afterwards both have the same objects.
@Suite(.timeLimit(.minutes(10))) struct MisbehaviourTests {
    /// A change of a server before it is followed.
    struct Setup: Sendable {
        let change: @Sendable (TestAPIServer) -> Void

        init(_ change: @escaping @Sendable (TestAPIServer) -> Void) { self.change = change }
    }

    /// Fills a server, follows it, runs `body`, and compares.
    private func compare(
        _ contentType: ContentType, settings: ReflectorSettings = Follower.settings, readTimeout: Duration = .seconds(20),
        before: Setup = Setup { _ in },
        _ body: @escaping @Sendable (TestAPIServer, Follower) async throws -> Void = { _, _ in }
    ) async throws {
        try await TestAPIServer.serving { server in
            for number in 0..<8 {
                server.put("services", .service("s\(number)", ip: "10.96.0.\(number + 1)"))
                server.put("endpointslices", .slice("s\(number)-a", of: "s\(number)", addresses: ["10.244.0.\(number + 1)"]))
            }
            server.put("nodes", .node("node1"))
            before.change(server)
            try await Follower.following(
                try server.access, settings: settings, client: Follower.clientSettings(contentType, readTimeout: readTimeout)
            ) { follower in
                try await expectEventually { try server.isMirrored(by: follower) }
                try await body(server, follower)
                try await expectEventually { try server.isMirrored(by: follower) }
            }
        }
    }

    /// Makes changes of every kind.
    private static func change(_ server: TestAPIServer) {
        server.put("services", .service("new", ip: "10.96.1.1"), .service("s1", ip: "10.96.0.2", port: 81))
        server.delete("services", .service("s2"))
        server.put("endpointslices", .slice("s1-a", of: "s1", addresses: ["10.244.9.1", "10.244.9.2"]))
        server.delete("endpointslices", .slice("s3-a", of: "s3", addresses: []))
    }

    private static func waitForWatches(_ server: TestAPIServer) async throws {
        try await expectEventually { ["services", "endpointslices", "nodes"].allSatisfy { server.watcherCount($0) >= 1 } }
    }

    @Test(arguments: ContentType.allCases)
    func `All objects are received, then all changes`(contentType: ContentType) async throws {
        try await compare(contentType) { server, follower in
            MisbehaviourTests.change(server)
            server.put("nodes", .node("node1", address: "192.0.2.9"))
            try await expectEventually { try server.isMirrored(by: follower) }
            #expect(follower.now().deletions == 2)
            #expect(server.requests("continue=").isEmpty)
        }
    }

    @Test(arguments: ContentType.allCases)
    func `Requests have the same selectors as kube-proxy's`(contentType: ContentType) async throws {
        try await compare(contentType) { server, _ in
            let services = try #require(server.requests("/api/v1/services").first)
            #expect(services.contains("labelSelector=!service.kubernetes.io/service-proxy-name&fieldSelector=spec.clusterIP!=None&"))
            #expect(services.hasSuffix("&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"))
            let slices = try #require(server.requests("/endpointslices").first)
            #expect(slices.hasPrefix("/apis/discovery.k8s.io/v1/endpointslices?labelSelector=!service.kubernetes.io/headless&watch=true&"))
            #expect(server.requests("/api/v1/nodes").first?.contains("fieldSelector=metadata.name=node1&") == true)
        }
    }

    @Test(arguments: ContentType.allCases, [StreamingLists.invalid, .errorEvent])
    func `A server without streaming lists is listed in pages`(contentType: ContentType, streamingLists: StreamingLists) async throws {
        try await compare(contentType, before: Setup { $0.withState { $0.streamingLists = streamingLists } }) { server, follower in
            MisbehaviourTests.change(server)
            try await expectEventually { try server.isMirrored(by: follower) }
            #expect(server.requests("/services").count { $0.contains("sendInitialEvents") } == 1)
            #expect(server.requests("/services").contains { $0.contains("resourceVersion=0") })
            // The list after a compaction is the latest version, in pages.
            server.withState { $0.store.compact() }
            server.interrupt("services", .cut)
            server.put("services", .service("later", ip: "10.96.3.3"))
            try await expectEventually { try server.isMirrored(by: follower) }
            try await expectEventually { server.requests("continue=").count { $0.contains("/services") } >= 2 }
        }
    }

    @Test(arguments: ContentType.allCases)
    func `An expired continue token restarts the list`(contentType: ContentType) async throws {
        try await compare(contentType, before: Setup { $0.withState { $0.streamingLists = .invalid } }) { server, follower in
            server.withState { $0.store.compact() }
            // The first page is slow, the second fails.
            server.fail(.list("services"), .slow(.milliseconds(20)), .status(410, reason: "Expired"))
            server.interrupt("services", .cut)
            server.delete("services", .service("s5"))
            try await expectEventually { try server.isMirrored(by: follower) }
        }
    }

    @Test(arguments: ContentType.allCases, [Interruption.end, .cut, .half])
    func `A watch that ends, breaks or is cut within a frame is resumed from its last version`(
        contentType: ContentType, interruption: Interruption
    ) async throws {
        try await compare(contentType) { server, follower in
            try await MisbehaviourTests.waitForWatches(server)
            for plural in ["services", "endpointslices", "nodes"] { server.interrupt(plural, interruption, .cut) }
            MisbehaviourTests.change(server)
            try await expectEventually { try server.isMirrored(by: follower) }
            // It was resumed without another list.
            #expect(server.requests("sendInitialEvents").count { $0.contains("services") } == 1)
        }
    }

    @Test(arguments: ContentType.allCases, [0, 1, 100, 700, 2000])
    func `A first list that is cut anywhere is restarted`(contentType: ContentType, bytes: Int) async throws {
        try await compare(
            contentType,
            before: Setup {
                $0.fail(.watch("services"), .cut(afterBytes: bytes))
                $0.fail(.watch("endpointslices"), .cut(afterBytes: bytes), .cut(afterBytes: bytes))
            })
    }

    @Test(arguments: ContentType.allCases, [true, false])
    func `After a 410 event or status, only differences are published`(contentType: ContentType, asEvent: Bool) async throws {
        try await compare(contentType) { server, follower in
            try await MisbehaviourTests.waitForWatches(server)
            let before = follower.now()
            let version = server.withState { $0.store.version }
            if !asEvent { server.fail(.watch("services"), .status(410, reason: "Expired")) }
            // The history is compacted while no watch is open.
            server.withState { state in
                state.interrupt("*", [.cut])
                state.watchers = [:]
                _ = state.store.put("services", .service("new", ip: "10.96.1.1"))
                _ = state.store.delete("services", key: "default/s2")
                _ = state.store.delete("services", key: "default/s3")
                state.store.compact()
            }
            try await expectEventually { try server.isMirrored(by: follower) }
            #expect(!server.requests("&resourceVersion=\(version)").isEmpty)
            #expect(server.requests("sendInitialEvents").count { $0.contains("/services") } == 2)
            #expect(follower.now().changes - before.changes == 3)
            #expect(follower.now().deletions - before.deletions == 2)
        }
    }

    @Test(arguments: ContentType.allCases, [429, 503, 500, 504])
    func `Requests to a failing server are retried until it answers`(contentType: ContentType, code: Int) async throws {
        try await compare(
            contentType,
            before: Setup { server in
                for plural in ["services", "endpointslices"] {
                    for _ in 0..<6 { server.fail(.watch(plural), .status(code, reason: "Trouble", retryAfter: code == 500 ? nil : 1)) }
                }
            }
        ) { server, follower in
            for _ in 0..<4 { server.fail(.watch("services"), .status(code, reason: "Trouble")) }
            server.interrupt("services", .end)
            MisbehaviourTests.change(server)
        }
    }

    @Test(arguments: ContentType.allCases)
    func `A silent watch is renewed`(contentType: ContentType) async throws {
        try await compare(contentType, readTimeout: .milliseconds(400)) { server, follower in
            try await MisbehaviourTests.waitForWatches(server)
            for plural in ["services", "endpointslices"] { server.interrupt(plural, .hang) }
            MisbehaviourTests.change(server)
            try await expectEventually { try server.isMirrored(by: follower) }
        }
    }

    @Test(arguments: ContentType.allCases)
    func `A request without an answer is repeated`(contentType: ContentType) async throws {
        try await compare(contentType, readTimeout: .milliseconds(400), before: Setup { $0.fail(.watch("services"), .hang, .hang) })
    }

    @Test(arguments: ContentType.allCases)
    func `Slow lists are received`(contentType: ContentType) async throws {
        try await compare(
            contentType,
            before: Setup { server in
                server.withState { $0.streamingLists = .invalid }
                for plural in ["services", "endpointslices"] { server.fail(.list(plural), .slow(.milliseconds(300))) }
            })
    }

    @Test(arguments: ContentType.allCases)
    func `Bookmarks out of order lose no changes`(contentType: ContentType) async throws {
        try await compare(contentType) { server, follower in
            server.put("services", .service("one", ip: "10.96.2.1"))
            let version = server.withState { $0.store.version }
            for offset in [0, -7, -3, -100] { server.bookmark("services", version: version + offset) }
            server.interrupt("services", .cut)
            MisbehaviourTests.change(server)
            try await expectEventually { try server.isMirrored(by: follower) }
            #expect(!server.requests("resourceVersion=\(version)").isEmpty)
        }
    }

    @Test(arguments: ContentType.allCases)
    func `A watch is resumed from its last bookmark`(contentType: ContentType) async throws {
        try await compare(contentType) { server, follower in
            try await MisbehaviourTests.waitForWatches(server)
            // Only other resources change, and then the history is compacted.
            for number in 0..<5 { server.put("endpointslices", .slice("x\(number)", of: "x", addresses: ["10.244.7.1"])) }
            server.withState { $0.store.compact() }
            for plural in ["services", "endpointslices", "nodes"] { server.bookmark(plural) }
            let version = server.withState { $0.store.version }
            server.interrupt("services", .end)
            try await expectEventually { server.requests("/services").contains { $0.hasSuffix("resourceVersion=\(version)") } }
            #expect(server.requests("sendInitialEvents").count { $0.contains("/services") } == 1)
        }
    }

    @Test(arguments: ContentType.allCases)
    func `Duplicate deletions, and those of unknown objects, are harmless`(contentType: ContentType) async throws {
        try await compare(contentType) { server, follower in
            try await MisbehaviourTests.waitForWatches(server)
            server.delete("services", .service("s4"))
            let version = server.withState { $0.store.version }
            for name in ["s4", "never"] {
                let resource = try #require(ServerResource.named("services"))
                server.interrupt("services", .deleted(try StoredObject(resource, TestObject.service(name).json, version: version)))
            }
            server.put("services", .service("last", ip: "10.96.4.1"))
            try await expectEventually { try server.isMirrored(by: follower) }
            #expect(follower.now().deletions == 1)
        }
    }

    @Test(arguments: ContentType.allCases)
    func `An object of 1.5 MB is received in a list and in a watch`(contentType: ContentType) async throws {
        var large = TestObject.service("large", ip: "10.96.5.1")
        large.ballast = String(repeating: "x", count: 1_500_000)
        let object = large
        try await compare(contentType, before: Setup { $0.put("services", object) }) { server, _ in
            var another = object
            another.name = "another"
            server.put("services", another)
        }
    }

    @Test(arguments: ContentType.allCases)
    func `The follower recovers from garbage instead of a list, a stream or an event`(contentType: ContentType) async throws {
        try await compare(
            contentType,
            before: Setup { server in
                server.fail(.watch("services"), .garbage)
                server.fail(.watch("endpointslices"), .garbage, .garbage, .garbage)
                server.fail(.list("endpointslices"), .garbage)
            }
        ) { server, follower in
            try await MisbehaviourTests.waitForWatches(server)
            server.interrupt("services", .text("\u{7f}garbage}{\n"))
            MisbehaviourTests.change(server)
        }
    }

    @Test(arguments: ContentType.allCases)
    func `An ERROR event in a watch ends only the watch`(contentType: ContentType) async throws {
        try await compare(contentType) { server, _ in
            server.fail(.watch("services"), .errorEvent(500, reason: "InternalError"), .errorEvent(410, reason: "Expired"))
            server.interrupt("services", .end)
            MisbehaviourTests.change(server)
        }
    }

    /// Failures of every watch from a version.
    private static let brokenWatches: [ServerFault] = [
        .empty, .errorEvent(500, reason: "InternalError"), .errorEvent(200, reason: ""), .errorEvent(404, reason: "NotFound"), .garbage,
        .cut(afterBytes: 0), .status(500, reason: "InternalError"), .status(404, reason: "NotFound"),
        .status(503, reason: "ServiceUnavailable"),
    ]

    @Test(arguments: brokenWatches.indices, [StreamingLists.supported, .invalid])
    func `Changes are received even if every watch fails`(fault: Int, streamingLists: StreamingLists) async throws {
        let setup = Setup {
            $0.withState { state in
                state.streamingLists = streamingLists
                state.brokenWatches = [
                    "services": MisbehaviourTests.brokenWatches[fault], "endpointslices": MisbehaviourTests.brokenWatches[fault],
                ]
            }
        }
        var settings = Follower.settings
        settings.shortWatch = .seconds(1)
        try await compare(fault.isMultiple(of: 2) ? .json : .protobuf, settings: settings, before: setup) { server, follower in
            // The watch after a streamed list is part of the same request.
            for plural in ["services", "endpointslices"] { server.interrupt(plural, .cut) }
            MisbehaviourTests.change(server)
        }
    }

    @Test(arguments: ContentType.allCases)
    func `A streamed list without an end is replaced by pages permanently`(contentType: ContentType) async throws {
        var settings = Follower.settings
        settings.streamedListLimit = .milliseconds(100)
        try await compare(
            contentType, settings: settings, before: Setup { $0.withState { $0.streamingLists = .endless } }
        ) { server, follower in
            server.withState { $0.store.compact() }
            server.interrupt("services", .cut)
            MisbehaviourTests.change(server)
            try await expectEventually { try server.isMirrored(by: follower) }
            #expect(server.requests("/services").count { $0.contains("sendInitialEvents") } == 1)
        }
    }

    @Test(arguments: ContentType.allCases, [28, 30])
    func `Headless Services are filtered by the client if the API server cannot filter them`(
        contentType: ContentType, minorVersion: Int
    ) async throws {
        try await TestAPIServer.serving { server in
            server.withState { state in
                state.minorVersion = minorVersion
                state.streamingLists = .invalid
            }
            server.put("services", .service("a"), .service("headless", ip: "None"))
            server.put("nodes", .node("node1"))
            try await Follower.following(try server.access, client: Follower.clientSettings(contentType)) { follower in
                try await expectEventually { follower.now().isSynced && server.watcherCount("services") == 1 }
                server.put(
                    "services", .service("b", ip: "10.96.0.11"), .service("headless2", ip: "None"), .service("last", ip: "10.96.0.12"))
                try await expectEventually { follower.now().state.services.count == 3 }
                #expect(follower.now().state.services.keys.map(\.name).sorted() == ["a", "b", "last"])
                #expect(server.requests("/services").last?.contains("fieldSelector") == false)
                #expect(server.requests("/nodes").allSatisfy { $0.contains("fieldSelector=metadata.name=node1&") })
            }
        }
    }

    @Test(arguments: ContentType.allCases)
    func `The feed is synced only when Services and slices have both been listed`(contentType: ContentType) async throws {
        try await TestAPIServer.serving { server in
            server.put("services", .service("a"))
            server.fail(.watch("endpointslices"), .slow(.seconds(5)))
            try await Follower.following(try server.access, client: Follower.clientSettings(contentType)) { follower in
                try await expectEventually { follower.now().state.services.count == 1 }
                #expect(!follower.now().isSynced)
                try await expectEventually { follower.now().isSynced }
            }
        }
    }

    @Test(arguments: ContentType.allCases)
    func `An unreadable object keeps its last readable version, and makes the source incomplete if it has none`(contentType: ContentType)
        async throws
    {
        try await compare(contentType) { server, follower in
            try await MisbehaviourTests.waitForWatches(server)
            let before = follower.now().state.services
            server.put("services", .service("s1", port: 70000))
            try await expectEventually { server.requests("sendInitialEvents").count { $0.contains("/services") } == 2 }
            server.put("services", .service("s2", ip: "10.96.9.2"))
            try await expectEventually { follower.now().state.services.values.contains { $0.clusterIP == "10.96.9.2" } }
            #expect(follower.now().state.services.count == before.count)
            #expect(follower.now().deletions == 0)
            #expect(!follower.now().isIncomplete)
            server.put("services", .service("bad", port: 70000))
            try await expectEventually { follower.now().isIncomplete }
            server.delete("services", .service("bad"))
            server.put("services", .service("s1", ip: "10.96.0.2", port: 82))
            try await expectEventually { !follower.now().isIncomplete }
        }
    }

    @Test(arguments: ContentType.allCases)
    func `Many changes in a short time are all received`(contentType: ContentType) async throws {
        try await compare(contentType) { server, _ in
            for number in 0..<2000 {
                let name = "b\(number % 50)"
                if number % 7 == 0 { server.delete("services", .service(name)) }
                server.put("services", .service(name, ip: "10.97.0.\(number % 50 + 1)", port: number + 1))
                if number % 500 == 250 { server.interrupt("services", .cut) }
            }
        }
    }
}
