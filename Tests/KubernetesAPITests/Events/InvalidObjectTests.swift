import Kubernetes
import Model
import Testing

@testable import APIServerForTests
@testable import KubernetesAPI

/// Unreadable objects, reported in Events about them.
@Suite(.timeLimit(.minutes(10))) struct InvalidObjectTests {
    private func problem(_ name: NamespacedName?) -> WireProblem {
        WireProblem(kind: "Service", object: name, error: WireError(field: "spec.ports[0].port", message: "must be a port, 1 to 65535"))
    }

    @Test func `The Event contains the error without the name of the object`() throws {
        let name = NamespacedName(namespace: "shop", name: "web")
        let event = try #require(ClusterEvent(problem(name), of: Service.self))
        #expect(
            event
                == ClusterEvent(
                    .warning, reason: "InvalidObject", action: "ReadObject", regarding: .service(name),
                    note: "spec.ports[0].port: must be a port, 1 to 65535"))
        let slice = try #require(ClusterEvent(problem(name), of: EndpointSlice.self))
        #expect(slice.regarding.apiVersion == "discovery.k8s.io/v1" && slice.regarding.kind == "EndpointSlice")
    }

    @Test func `There is no Event about an object without a name or one that users do not create`() {
        let name = NamespacedName(namespace: "", name: "node1")
        #expect(ClusterEvent(problem(nil), of: Service.self) == nil)
        #expect(ClusterEvent(problem(name), of: Node.self) == nil)
    }

    @Test func `An unreadable Service is reported in an Event about it`() async throws {
        try await EventServer.serving { events in
            try await TestAPIServer.serving { server in
                server.put("services", .service("good"))
                server.put(
                    "services",
                    TestObject(
                        namespace: "default", name: "bad", rest: "\"spec\":{\"clusterIP\":\"10.96.0.9\",\"ports\":[{\"port\":70000}]}"))
                let client = APIClient(events.access, settings: Follower.clientSettings(), logger: Follower.quiet)
                let recorder = APIEventRecorder(
                    client, hostname: "node1", settings: EventSettings(qps: -1, flushTime: .milliseconds(500)), logger: Follower.quiet)
                let run = Task { await recorder.run() }
                let reading = APIClient(try server.access, settings: Follower.clientSettings(), logger: Follower.quiet)
                let source = APISource(
                    reading, nodeName: "node1", settings: Follower.settings, events: recorder, logger: Follower.quiet)
                let following = Task { try await source.run() }
                try await expectEventually { !events.requests.isEmpty }
                following.cancel()
                try await following.value
                run.cancel()
                await run.value
                await reading.close()
                await client.close()
                let body = events.requests[0].body
                #expect(
                    body.contains("\"regarding\":{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"name\":\"bad\",\"namespace\":\"default\"}"))
                #expect(body.contains("\"reason\":\"InvalidObject\"") && body.contains("\"action\":\"ReadObject\""))
                #expect(body.contains("\"type\":\"Warning\"") && body.contains("spec.ports[0].port"))
            }
        }
    }
}
