import Kubernetes
import KubernetesAPI
import Logging
import Model
import Testing

/// The delivery of Events to a server in this process.
@Suite(.timeLimit(.minutes(10))) struct APIEventRecorderTests {
    private static let settings = settings(requestTimeLimit: .seconds(60))

    private static func settings(requestTimeLimit: Duration) -> EventSettings {
        EventSettings(
            qps: -1, minimumDelay: .milliseconds(10), maximumDelay: .milliseconds(50), maximumRetryAfter: .milliseconds(300),
            requestTimeLimit: requestTimeLimit, flushTime: .milliseconds(500))
    }

    /// Runs a recorder during `body`, then stops it and waits for its end.
    private func recording(
        settings: EventSettings = settings, identities: ServiceIdentities = ServiceIdentities(), logger: Logger = Follower.quiet,
        _ body: @escaping @Sendable (EventServer, APIEventRecorder) async throws -> Void
    ) async throws {
        try await EventServer.serving { server in
            let client = APIClient(server.access, settings: Follower.clientSettings(), logger: Follower.quiet)
            let recorder = APIEventRecorder(client, hostname: "node1", identities: identities, settings: settings, logger: logger)
            let run = Task { await recorder.run() }
            let outcome: (any Error)?
            do {
                try await body(server, recorder)
                outcome = nil
            } catch {
                outcome = error
            }
            run.cancel()
            await run.value
            await client.close()
            if let outcome { throw outcome }
        }
    }

    @Test func `An Event is posted, and patched when it is repeated`() async throws {
        try await recording { server, recorder in
            recorder.record(.note("a"))
            try await expectEventually { server.requests.count == 1 }
            recorder.record(.note("a"))
            try await expectEventually { server.requests.count == 2 }
            let requests = server.requests
            try #require(requests.map(\.method) == ["POST", "PATCH"])
            #expect(requests[0].target == "/apis/events.k8s.io/v1/namespaces/default/events")
            #expect(requests[0].contentType == "application/json")
            #expect(requests[0].body.contains("\"reportingInstance\":\"kube-proxy-node1\""))
            #expect(requests[1].target.hasPrefix("/apis/events.k8s.io/v1/namespaces/default/events/node1."))
            #expect(requests[1].contentType == "application/strategic-merge-patch+json")
            #expect(requests[1].body.contains("\"count\":2"))
        }
    }

    @Test func `An Event contains the uid of its object, by which kubectl describe finds it`() async throws {
        let identities = ServiceIdentities()
        let web = NamespacedName(namespace: "default", name: "web")
        identities.apply([.service(web, Service(metadata: ObjectMeta(name: "web", namespace: "default", uid: "0f-1a")))])
        #expect(identities.uid(of: .node("web")) == nil)
        try await recording(identities: identities) { server, recorder in
            recorder.record(.about("web", namespace: "default"))
            try await expectEventually { server.requests.count == 1 }
            recorder.record(.about("gone", namespace: "default"))
            try await expectEventually { server.requests.count == 2 }
            let bodies = server.requests.map(\.body)
            #expect(bodies[0].contains("\"name\":\"web\",\"namespace\":\"default\",\"uid\":\"0f-1a\"}"), "\(bodies[0])")
            #expect(bodies[1].contains("\"name\":\"gone\",\"namespace\":\"default\"}"), "\(bodies[1])")
        }
    }

    @Test func `Requests to a failing server are retried until it accepts the Event`() async throws {
        try await recording(settings: Self.settings(requestTimeLimit: .seconds(1))) { server, recorder in
            server.withState {
                $0.answers = [
                    .refused(500, reason: "InternalError"), .refused(503, reason: "ServiceUnavailable"), .cut, .hang,
                    .refused(429, reason: "TooManyRequests", retryAfter: 1),
                ]
            }
            recorder.record(.note("a"))
            // More than six if a slow machine needs more than a second for an answer.
            try await expectEventually { server.requests.count >= 6 }
            #expect(Set(server.requests.map(\.method)) == ["POST"])
            // The name is the same each time, so that a request without an answer creates no duplicate.
            let names = server.requests.compactMap { $0.body.split(separator: "\"name\":\"").dropFirst().first?.prefix(22) }
            #expect(Set(names).count == 1)
        }
    }

    @Test func `A successful request without an answer is not a failure`() async throws {
        let log = LogKeeper()
        try await recording(logger: log.logger) { server, recorder in
            server.withState { $0.answers = [.cut, .refused(409, reason: "AlreadyExists")] }
            recorder.record(.note("a"))
            try await expectEventually { server.requests.count == 2 }
            recorder.record(.note("a"))
            try await expectEventually { server.requests.count == 3 }
            #expect(server.requests.last?.method == "PATCH")
        }
        #expect(log.lines.isEmpty)
    }

    @Test func `Without permission Events are dropped, and this is logged once`() async throws {
        let log = LogKeeper()
        try await recording(logger: log.logger) { server, recorder in
            server.withState { $0.defaultAnswer = .refused(403, reason: "Forbidden") }
            for number in 0..<5 { recorder.record(.about("web\(number)")) }
            try await expectEventually { server.requests.count == 5 }
            server.withState { $0.defaultAnswer = .refused(404, reason: "NotFound") }
            recorder.record(.note("a"))
            try await expectEventually { server.requests.count == 6 }
            try await expectEventually { log.lines.count == 2 }
        }
        #expect(log.lines == ["warning Failed to record Event", "warning Failed to record Event"])
    }

    @Test func `Events in a terminating namespace are dropped without a log message`() async throws {
        let log = LogKeeper()
        try await recording(logger: log.logger) { server, recorder in
            server.withState {
                $0.defaultAnswer = .refused(
                    403, reason: "Forbidden", message: "unable to create: namespace shop because it is being terminated")
            }
            recorder.record(.about("web"))
            try await expectEventually { server.requests.count == 1 }
        }
        #expect(log.lines.isEmpty)
    }

    @Test func `An Event that the server no longer has is created again`() async throws {
        try await recording { server, recorder in
            recorder.record(.note("a"))
            try await expectEventually { server.requests.count == 1 }
            server.withState { $0.answers = [.refused(404, reason: "NotFound")] }
            recorder.record(.note("a"))
            try await expectEventually { server.requests.count == 3 }
            try #require(server.requests.map(\.method) == ["POST", "PATCH", "POST"])
            #expect(server.requests[2].body.contains("\"count\":2"))
        }
    }

    @Test func `Only one request is in flight at a time`() async throws {
        try await recording { server, recorder in
            for number in 0..<200 { recorder.record(.about("web\(number)")) }
            try await expectEventually { server.requests.count == 200 }
            #expect(server.withState { $0.mostInFlight } == 1)
        }
    }

    @Test func `Dropped Events are logged once`() async throws {
        let log = LogKeeper()
        try await recording(logger: log.logger) { _, recorder in
            for number in 0..<3000 { recorder.record(.about("web", reason: "R\(number)")) }
            try await expectEventually { !log.lines.isEmpty }
        }
        #expect(Set(log.lines) == ["warning Dropped Events; queue full or delivery failed"])
        #expect(log.lines.count <= 2)
    }

    @Test func `Remaining Events are sent at the end`() async throws {
        try await EventServer.serving { server in
            let client = APIClient(server.access, settings: Follower.clientSettings(), logger: Follower.quiet)
            let recorder = APIEventRecorder(
                client, hostname: "node1", settings: EventSettings(flushTime: .seconds(60)), logger: Follower.quiet)
            recorder.record(.note("last"))
            recorder.record(.about("web"))
            let run = Task { await recorder.run() }
            run.cancel()
            await run.value
            await client.close()
            #expect(server.requests.count == 2)
        }
    }

    @Test func `A server that does not answer does not delay the exit`() async throws {
        // A hanging server would hang for an hour.
        try await recording(settings: EventSettings(flushTime: .milliseconds(300))) { server, recorder in
            server.withState { $0.defaultAnswer = .hang }
            for number in 0..<50 { recorder.record(.about("web\(number)")) }
            try await expectEventually { server.requests.count == 1 }
        }
    }
}
