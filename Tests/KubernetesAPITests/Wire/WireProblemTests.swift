import Foundation
import Kubernetes
import Model
import Testing

@testable import KubernetesAPI

@Suite struct `An invalid object` {
    private static func slice(_ name: String, port: Int32) -> [UInt8] {
        var slice = ProtoEndpointSlice()
        slice.metadata = WatchFrames.metadata(name)
        slice.addressType = "IPv4"
        var wire = ProtoEndpointPort()
        wire.port = port
        slice.ports = [wire]
        return WatchFrames.bytes(slice)
    }

    private static func json(_ name: String, port: Int) -> String {
        "{\"metadata\":{\"name\":\"\(name)\",\"namespace\":\"d\",\"resourceVersion\":\"7\"},\"addressType\":\"IPv4\",\"ports\":[{\"port\":\(port)}]}"
    }

    private static func list(_ contentType: ContentType) -> [UInt8] {
        switch contentType {
        case .json:
            let items = [json("a", port: 80), json("b", port: 70000), "7", json("c", port: 81)].joined(separator: ",")
            return Array(
                "{\"kind\":\"EndpointSliceList\",\"apiVersion\":\"discovery.k8s.io/v1\",\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[\(items)]}"
                    .utf8)
        case .protobuf:
            let items = [slice("a", port: 80), slice("b", port: 70000), [0xff], slice("c", port: 81)]
            return WatchFrames.list(items, kind: "EndpointSliceList", apiVersion: "discovery.k8s.io/v1")
        }
    }

    @Test(arguments: ContentType.allCases) func `in a list is reported, and the others are decoded`(contentType: ContentType) throws {
        let list = try WireDecoder<EndpointSlice>(contentType: contentType).list(Self.list(contentType))
        #expect(list.items.map(\.object.metadata.name) == ["a", "c"])
        #expect(list.resourceVersion == "9")
        #expect(list.problems.count == 2)
        let named = try #require(list.problems.first)
        #expect(named.object == NamespacedName(namespace: "d", name: "b"))
        #expect(named.resourceVersion == "7")
        #expect(named.description == "EndpointSlice d/b, ports[0].port: must be a port, 1 to 65535")
        #expect(list.problems.last?.object == nil)
        #expect(list.problems.last?.kind == "EndpointSlice")
    }

    @Test(arguments: ContentType.allCases) func `in a watch is reported, and the events around it are decoded`(contentType: ContentType)
        throws
    {
        func event(_ name: String, port: Int) -> [UInt8] {
            switch contentType {
            case .json:
                WatchFrames.line(
                    "MODIFIED",
                    "{\"kind\":\"EndpointSlice\",\"apiVersion\":\"discovery.k8s.io/v1\"," + Self.json(name, port: port).dropFirst())
            case .protobuf:
                WatchFrames.frame(
                    "MODIFIED",
                    WatchFrames.object(Self.slice(name, port: Int32(port)), kind: "EndpointSlice", apiVersion: "discovery.k8s.io/v1"))
            }
        }
        var decoder = WatchDecoder<EndpointSlice>(contentType: contentType)
        let events = try decoder.feed(event("a", port: 80) + event("b", port: -1) + event("c", port: 81))
        #expect(events.count == 2)
        #expect(decoder.problems.map(\.object?.name) == ["b"])
        #expect(decoder.failure == nil)
        #expect(try decoder.feed(event("d", port: 82)).count == 1)
        #expect(decoder.problems.isEmpty, "problems belong to the last bytes")
    }

    @Test func `before the end of a streamed list belongs to the list, even if both are in the same bytes`() throws {
        let unreadable = "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":1}}"
        let end =
            "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"9\","
            + "\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}"
        var decoder = WatchDecoder<Service>(contentType: .json)
        let outcomes = try decoder.outcomes(
            WireBytes(WatchFrames.line("ADDED", unreadable) + WatchFrames.line("BOOKMARK", end)))
        guard case .problem = try #require(outcomes.first), case .event(.bookmark) = try #require(outcomes.last) else {
            throw WireError(message: "not in order: \(outcomes)")
        }
    }

    @Test(arguments: ContentType.allCases) func `of another kind or with an unknown event type is reported`(contentType: ContentType) throws
    {
        func event(_ type: String, kind: String) -> [UInt8] {
            switch contentType {
            case .json:
                WatchFrames.line(
                    type,
                    "{\"kind\":\"\(kind)\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\",\"namespace\":\"d\",\"resourceVersion\":\"7\"}}"
                )
            case .protobuf:
                {
                    var service = ProtoService()
                    service.metadata = WatchFrames.metadata("a")
                    return WatchFrames.frame(type, WatchFrames.object(service, kind: kind, apiVersion: "v1"))
                }()
            }
        }
        var decoder = WatchDecoder<Service>(contentType: contentType)
        #expect(try decoder.feed(event("ADDED", kind: "Pod") + event("RENAMED", kind: "Service")) == [])
        #expect(
            decoder.problems.map(\.description) == [
                "Service d/a: is a Pod of v1, not a Service of v1",
                "Service d/a, type: must be ADDED, MODIFIED, DELETED, BOOKMARK or ERROR, not RENAMED",
            ])
        #expect(try decoder.feed(event("BOOKMARK", kind: "Service")) == [.bookmark(resourceVersion: "7", isInitialEventsEnd: false)])
        #expect(
            try decoder.feed(event("ERROR", kind: "Service"))
                == [.error(APIStatus(code: 0, message: "the watch ended with a Service instead of a Status"))])
    }

    @Test(arguments: ContentType.allCases) func `without a name cannot be distinguished and is refused`(contentType: ContentType) throws {
        let body =
            contentType == .json
            ? Array(
                "{\"kind\":\"NodeList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{},{\"metadata\":null}]}"
                    .utf8)
            : WatchFrames.list([[], []], kind: "NodeList", apiVersion: "v1")
        let list = try WireDecoder<Node>(contentType: contentType).list(body)
        #expect(list.items.isEmpty)
        #expect(list.problems.map(\.description) == ["Node, metadata.name: is required", "Node, metadata.name: is required"])
    }

    @Test func `is reported with the same message in both encodings`() throws {
        var port = ProtoServicePort()
        port.protocol = "QUIC"
        var spec = ProtoServiceSpec()
        spec.ports = [port]
        var service = ProtoService()
        service.metadata = WatchFrames.metadata("web")
        service.spec = Data(WatchFrames.bytes(spec))
        let protobuf = WatchFrames.list([WatchFrames.bytes(service)], kind: "ServiceList", apiVersion: "v1")
        let json =
            "{\"kind\":\"ServiceList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[{\"metadata\":{\"name\":\"web\","
            + "\"namespace\":\"d\",\"resourceVersion\":\"7\"},\"spec\":{\"ports\":[{\"protocol\":\"QUIC\"}]}}]}"
        let problems = try WireDecoder<Service>(contentType: .protobuf).list(protobuf).problems
        #expect(problems.map(\.description) == ["Service d/web, spec.ports[0].protocol: must be one of TCP, UDP, SCTP"])
        #expect(try WireDecoder<Service>(contentType: .json).list(Array(json.utf8)).problems == problems)
    }
}
