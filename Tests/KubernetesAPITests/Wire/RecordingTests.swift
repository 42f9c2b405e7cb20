import Foundation
import Kubernetes
import Model
import Testing

@testable import KubernetesAPI

@Suite struct `The recorded data of a real API server` {
    /// All lists and watches, by kind.
    private static let lists = ["services-list", "services-list-from-cache", "services-page-1", "services-page-2"]
    private static let serviceWatches = [
        "services-watch", "services-streaming-list", "services-watch-too-old", "services-streaming-list-unsupported",
    ]
    private static let sliceWatches = ["endpointslices-watch", "endpointslices-streaming-list"]
    private static let statuses = [
        "bad-selector", "list-future-version", "not-found", "unauthorized", "unknown-group", "services-list-expired-continue",
    ]
    /// Neither lists nor watches nor statuses; each has a separate test.
    private static let others = ["event-create.json", "event-create.pb", "not-acceptable.json", "version.json"]

    @Test func `is completely covered by these tests`() throws {
        let pairs =
            Self.lists + Self.serviceWatches + Self.sliceWatches + Self.statuses
            + ["endpointslices-list", "node-list", "node-watch"]
        let covered = Set(pairs.flatMap { ["\($0).json", "\($0).pb"] } + Self.others)
        #expect(try Set(Recording.all()) == covered)
    }

    @Test(arguments: lists) func `about Services is the same in both encodings`(name: String) throws {
        let json = try Recording(name, .json).list(of: Service.self)
        #expect(try Recording(name, .protobuf).list(of: Service.self) == json)
        #expect(json.problems.isEmpty)
        #expect(json.items.count > 10)
        #expect(json.items.allSatisfy { !$0.resourceVersion.isEmpty })
        let kubernetes = json.items.first { $0.object.metadata.name == "kubernetes" }
        #expect((kubernetes == nil) == (name == "services-page-2"))
        #expect(kubernetes.map { $0.object.metadata.labels == ["component": "apiserver", "provider": "kubernetes"] } ?? true)
        #expect(kubernetes.map { $0.object.metadata.uid == "3e69e206-b85d-4faa-8e1e-d36ccc76b8fc" } ?? true)
    }

    @Test func `about EndpointSlices is the same in both encodings`() throws {
        let json = try Recording("endpointslices-list", .json).list(of: EndpointSlice.self)
        #expect(try Recording("endpointslices-list", .protobuf).list(of: EndpointSlice.self) == json)
        #expect(json.problems.isEmpty)
        #expect(json.items.count > 30)
        #expect(json.items.contains { $0.object.endpoints.contains { !$0.zoneHints.isEmpty } })
        let annotated = try #require(json.items.first { $0.object.metadata.name == "a-a-1" }).object
        #expect(annotated.metadata.annotations == [Annotation.lastChangeTriggerTime.rawValue: "2026-11-23T01:00:00Z"])
        #expect(annotated.metadata.creationTimestamp == Time("2026-11-23T01:44:11Z"))
        #expect(annotated.serviceName == NamespacedName(namespace: "rec", name: "a-1"))
    }

    @Test func `about a Node is the same in both encodings`() throws {
        let json = try Recording("node-list", .json).list(of: Node.self)
        #expect(try Recording("node-list", .protobuf).list(of: Node.self) == json)
        let node = try #require(json.items.first).object
        #expect(node.podCIDRs == ["10.244.0.0/24"])
        #expect(node.taints == [Taint(key: "node.kubernetes.io/not-ready", effect: "NoSchedule")])
        #expect(node.addresses.map(\.address) == ["10.99.0.2", "fd00:99::2"])
        #expect(node.zone == "z1")
        #expect(node.metadata.labels.map(\.key) == ["topology.kubernetes.io/zone"], "an unused label is not kept")
        #expect(node.metadata.annotations.isEmpty)
    }

    @Test(arguments: ContentType.allCases) func `in two pages equals that in one list`(contentType: ContentType) throws {
        let complete = try Recording("services-list", contentType).list(of: Service.self)
        let first = try Recording("services-page-1", contentType).list(of: Service.self)
        let second = try Recording("services-page-2", contentType).list(of: Service.self)
        #expect(first.items.count == 20)
        #expect(first.continueToken == "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MjA0LCJzdGFydCI6Ii9yZWMvbC0xNVx1MDAwMCJ9")
        #expect(second.continueToken == nil)
        #expect(first.items + second.items == complete.items)
        #expect(first.resourceVersion == complete.resourceVersion)
    }

    @Test(arguments: serviceWatches) func `in a watch of Services is the same in both encodings`(name: String) throws {
        let json = try Recording(name, .json).events(of: Service.self)
        #expect(try Recording(name, .protobuf).events(of: Service.self) == json)
        #expect(!json.isEmpty)
    }

    @Test(arguments: sliceWatches) func `in a watch of EndpointSlices is the same in both encodings`(name: String) throws {
        let json = try Recording(name, .json).events(of: EndpointSlice.self)
        #expect(try Recording(name, .protobuf).events(of: EndpointSlice.self) == json)
        #expect(!json.isEmpty)
    }

    @Test func `in a watch of a Node is the same in both encodings`() throws {
        let json = try Recording("node-watch", .json).events(of: Node.self)
        #expect(try Recording("node-watch", .protobuf).events(of: Node.self) == json)
        #expect(!json.isEmpty)
    }

    @Test(arguments: ContentType.allCases) func `in a streaming list equals that in a list, plus an end`(contentType: ContentType)
        throws
    {
        let list = try Recording("services-list", contentType).list(of: Service.self)
        let events = try Recording("services-streaming-list", contentType).events(of: Service.self)
        let end = try #require(events.firstIndex(of: .bookmark(resourceVersion: "204", isInitialEventsEnd: true)))
        let initial = events[..<end].compactMap { event in
            if case .added(let object) = event { object } else { nil }
        }
        #expect(initial.count == end, "all events before the end are existing objects")
        #expect(Set(initial) == Set(list.items))
        for case .bookmark(_, isInitialEventsEnd: true) in events[(end + 1)...] { Issue.record("a second end") }
    }

    @Test(arguments: ContentType.allCases) func `about a created Event has the same envelope`(contentType: ContentType) throws {
        let body = try Recording("event-create", contentType).bytes
        #expect(WireDecoder<Service>.status(body, contentType: contentType) == nil)
        #expect(throws: WireError.self) { try WireDecoder<Service>(contentType: contentType).list(body) }
        guard contentType == .protobuf else { return }
        let envelope = try ProtobufEnvelope(WireBytes(body))
        #expect(envelope.kind == "Event")
        #expect(envelope.apiVersion == "events.k8s.io/v1")
        let identity = try ProtobufObject.message(envelope.content, of: ProtoObjectIdentity.self).metadata
        #expect(identity.name == "rec-6n9tj")
        #expect(identity.namespace == "default")
        #expect(identity.resourceVersion == "246")
        // Event.regarding is a core/v1 ObjectReference like Endpoint.targetRef, which no recorded slice has: its field numbers are checked here.
        let content = envelope.content.bytes
        let start = try #require(content.indices.first { content[$0...].starts(with: Array("\n\u{4}Node".utf8)) })
        let reference: ProtoObjectReference = try ProtobufObject.message(
            WireBytes(content[start...].prefix(Int(content[start - 1]))))
        #expect(reference.kind == "Node")
        #expect(reference.name == "node1")
    }

    @Test func `about its version is neither a status nor a list`() throws {
        let body = try Recording("version", .json).bytes
        #expect(WireDecoder<Service>.status(body, contentType: .json) == nil)
        #expect(throws: WireError.self) { try WireDecoder<Service>(contentType: .json).list(body) }
    }
}
