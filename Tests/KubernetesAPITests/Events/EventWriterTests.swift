import Kubernetes
import Model
import Testing

@testable import KubernetesAPI

struct EventWriterTests {
    /// 2026-01-01T00:00:10.000007Z
    private static let wall = MicroTime(microsecondsSince1970: 1_767_225_610_000_007)
    private var queue = EventQueue(EventSettings())
    private var generator = FixedGenerator()

    private mutating func record(_ event: ClusterEvent, at now: Duration) {
        _ = queue.record(event, at: now, using: &generator)
    }

    private mutating func request(hostname: String = "node1", at now: Duration) throws -> (delivery: EventDelivery, request: APIRequest) {
        guard case .send(let delivery) = queue.next(at: now) else { fatalError("nothing to send") }
        return (delivery, try EventWriter(hostname: hostname).request(for: delivery, at: now, wall: Self.wall))
    }

    private func text(_ request: APIRequest) -> String { String(decoding: request.body?.bytes ?? [], as: UTF8.self) }

    @Test mutating func `An Event about the node is created in the namespace default`() throws {
        record(.note("a \"note\""), at: .seconds(1))
        let (delivery, request) = try request(at: .seconds(3))
        let name = EventName.name(for: .node("node1"), id: delivery.series.id)
        #expect(request.method == .post)
        #expect(request.target == "/apis/events.k8s.io/v1/namespaces/default/events")
        #expect(request.body?.contentType == "application/json")
        #expect(
            text(request)
                == #"{"action":"StartKubeProxy","apiVersion":"events.k8s.io/v1","eventTime":"2026-01-01T00:00:08.000007Z","kind":"Event","#
                + #""metadata":{"name":"\#(name)","namespace":"default"},"note":"a \"note\"","reason":"Starting","#
                + #""regarding":{"apiVersion":"v1","kind":"Node","name":"node1","uid":"node1"},"reportingController":"kube-proxy","#
                + #""reportingInstance":"kube-proxy-node1","type":"Normal"}"#)
    }

    @Test mutating func `The count of an Event is patched in the namespace where it was created`() throws {
        record(.about("web", namespace: "shop"), at: .seconds(1))
        let (first, creation) = try request(at: .seconds(1))
        #expect(creation.target == "/apis/events.k8s.io/v1/namespaces/shop/events")
        #expect(text(creation).contains(#""namespace":"shop""#))
        queue.delivered(first, at: .seconds(2))
        record(.about("web", namespace: "shop"), at: .seconds(5))
        let (_, patch) = try request(at: .seconds(6))
        let name = EventName.name(for: first.key.regarding, id: first.series.id)
        #expect(patch.method == .patch)
        #expect(patch.target == "/apis/events.k8s.io/v1/namespaces/shop/events/\(name)")
        #expect(patch.body?.contentType == "application/strategic-merge-patch+json")
        #expect(text(patch) == #"{"series":{"count":2,"lastObservedTime":"2026-01-01T00:00:09.000007Z"}}"#)
    }

    @Test mutating func `An Event that occurs twice before it is sent is created with its count`() throws {
        for _ in 0..<2 { record(.note("a"), at: .zero) }
        let (_, request) = try request(at: .zero)
        #expect(text(request).contains(#""series":{"count":2,"lastObservedTime":"2026-01-01T00:00:10.000007Z"}"#))
    }

    @Test mutating func `A long hostname is truncated to the API's limit`() throws {
        record(.note("a"), at: .zero)
        let (_, request) = try request(hostname: String(repeating: "h", count: 253), at: .zero)
        #expect(text(request).contains(#""reportingInstance":"kube-proxy-\#(String(repeating: "h", count: 117))""#))
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000000Z"), (-1, "1969-12-31T23:59:59.999999Z"), (1_767_225_599_999_999, "2025-12-31T23:59:59.999999Z"),
            (1_767_225_600_000_000, "2026-01-01T00:00:00.000000Z"), (Int64.max, "9999-12-31T23:59:59.775807Z"),
        ] as [(Int64, String)])
    func `A time has microseconds`(microseconds: Int64, text: String) {
        #expect(MicroTime(microsecondsSince1970: microseconds).text == text)
    }
}
