import Kubernetes
import KubernetesAPI
import Testing

@testable import APIServerForTests

/// The test server's encoder against recordings of a real one: it encodes a recording's JSON as the recording's protobuf, byte for byte.
@Suite struct `The test server encodes` {
    static let lists = ["services-list", "services-page-1", "endpointslices-list", "node-list"]

    @Test(arguments: lists) func `a list as a real server does`(name: String) throws {
        let list = try JSON(try Recording(name, .json).bytes)
        let resource = try #require(ServerResource.all.first { "\($0.kind)List" == list["kind"]?.text })
        let items = try (list["items"]?.items ?? []).map { item in
            let version = try #require(item["metadata"]?["resourceVersion"]?.text.flatMap { Int($0) })
            return try StoredObject(resource, item, version: version)
        }
        #expect(items.count > 0)
        let protobuf = WireEncoding.protobuf.list(items, of: resource, version: 204, continueToken: list["metadata"]?["continue"]?.text)
        // A page also contains the number of remaining items, which the test server omits.
        if name != "services-page-1" { #expect(try protobuf == Recording(name, .protobuf).bytes) }
        switch resource.kind {
        case "Service": try expectSame(items, as: Service.self)
        case "EndpointSlice": try expectSame(items, as: EndpointSlice.self)
        default: try expectSame(items, as: Node.self)
        }
    }

    /// Checks that the program decodes the same objects from both encodings.
    private func expectSame<Object: APIObject>(_ items: [StoredObject], as type: Object.Type) throws {
        let resource = try #require(items.first).resource
        let lists = try ContentType.allCases.map { contentType in
            let encoding = try #require(WireEncoding(accept: contentType.rawValue))
            return try WireDecoder<Object>(contentType: contentType).list(encoding.list(items, of: resource, version: 204))
        }
        #expect(lists.count == 2 && lists[0] == lists[1])
        #expect(lists[0].problems.isEmpty)
    }

    @Test func `an Event as a real server does`() throws {
        // The recordings are of two Events, which are equal except for names, uids and versions.
        let resource = try #require(ServerResource.named("events"))
        var event = try JSON(try Recording("event-create", .json).bytes)
        event["kind"] = nil
        event["apiVersion"] = nil
        event["metadata"]?["name"] = "rec-6n9tj"
        let recorded = try Recording("event-create", .protobuf).bytes
        let start = try #require(recorded.firstRange(of: Array("*$".utf8))).upperBound
        event["metadata"]?["uid"] = .string(String(decoding: recorded[start..<start + 36], as: UTF8.self))
        #expect(try WireEncoding.protobuf.object(StoredObject(resource, event, version: 246)) == recorded)
    }

    @Test(arguments: ["bad-selector", "unknown-group"]) func `a Status as a real server does`(name: String) throws {
        let recorded = try JSON(try Recording(name, .json).bytes)
        let code = try #require(recorded["code"]?.integer)
        let status = TestStatus(code, reason: recorded["reason"]?.text ?? "", message: recorded["message"]?.text ?? "")
        if recorded["details"] == nil { #expect(try WireEncoding.protobuf.status(status) == Recording(name, .protobuf).bytes) }
        for contentType in ContentType.allCases {
            let encoding = try #require(WireEncoding(accept: contentType.rawValue))
            let read = WireDecoder<Service>.status(encoding.status(status), contentType: contentType)
            #expect(try read == Recording(name, contentType).status())
        }
    }

    @Test func `an event as a real server does`() throws {
        let lines = try Recording("node-watch", .json).bytes.split(separator: UInt8(ascii: "\n")).map { try JSON(Array($0)) }
        let resource = try #require(ServerResource.named("nodes"))
        var protobuf: [UInt8] = []
        for line in lines {
            let version = try #require(line["object"]?["metadata"]?["resourceVersion"]?.text.flatMap { Int($0) })
            if line["type"] == "BOOKMARK" {
                protobuf += WireEncoding.protobuf.bookmark(of: resource, version: version)
            } else {
                var value = try #require(line["object"])
                value["kind"] = nil
                value["apiVersion"] = nil
                let type = try #require((line["type"]?.text).flatMap(EventType.init))
                protobuf += WireEncoding.protobuf.event(type, try StoredObject(resource, value, version: version))
            }
        }
        #expect(try protobuf == Recording("node-watch", .protobuf).bytes)
    }

    @Test(
        arguments: [
            ("application/vnd.kubernetes.protobuf,application/json", .protobuf),
            ("application/json, application/vnd.kubernetes.protobuf", .json),
            ("application/vnd.kubernetes.protobuf;stream=watch", .protobuf),
            ("text/html, */*", .json), ("text/html", nil), (nil, .json),
        ] as [(String?, WireEncoding?)])
    func `in the accepted content type`(accept: String?, encoding: WireEncoding?) {
        #expect(WireEncoding(accept: accept) == encoding)
    }

    @Test func `no values of a wrong type`() {
        let error = #expect(throws: ProtobufWriter.Mismatch.self) {
            try ProtobufWriter.message("Service", ["spec": ["ports": [["port": "http"]]]])
        }
        #expect(error?.description == "spec.ports.port: is no int")
    }
}
