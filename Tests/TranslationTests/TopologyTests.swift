import Kubernetes
import Model
import Testing
import Translation

/// Endpoints with hints, the zone of the node, and the expected endpoints.
private struct Hints: CustomTestStringConvertible, Sendable {
    let testDescription: String
    var zone: String?
    let endpoints: [Endpoint]
    let near: [String]

    init(_ name: String, zone: String? = "a", _ endpoints: [Endpoint], _ near: [String]) {
        testDescription = name
        self.zone = zone
        self.endpoints = endpoints
        self.near = near
    }
}

private let zoned: [Endpoint] = [
    .at("10.0.0.1", zones: ["a"]), .at("10.0.0.2", zones: ["b"]), .at("10.0.0.3", zones: ["c"]), .at("10.0.0.4", zones: ["a"]),
]
private let all = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]

@Suite struct `Hints for zones and nodes` {
    private static let cases = [
        Hints("all have a zone", zoned, ["10.0.0.1", "10.0.0.4"]),
        Hints("the node has no zone", zone: nil, zoned, all),
        Hints("the node's zone is empty", zone: "", zoned, all),
        Hints("no endpoint is for the node's zone", zone: "z", zoned, all),
        Hints("one ready endpoint has no hint", [.at("10.0.0.1", zones: ["a"]), .at("10.0.0.2")], ["10.0.0.1", "10.0.0.2"]),
        Hints(
            "an endpoint that is not ready has none", [.at("10.0.0.1", zones: ["a"]), .at("10.0.0.2", ready: false)], ["10.0.0.1"]),
        Hints(
            "only one that is not ready is for the zone", [.at("10.0.0.1", ready: false, zones: ["a"]), .at("10.0.0.2", zones: ["b"])],
            ["10.0.0.2"]),
        Hints(
            "an endpoint is for several zones", [.at("10.0.0.1", zones: ["b", "a"]), .at("10.0.0.2", zones: ["b", "c"])], ["10.0.0.1"]),
        Hints(
            "all have a node", [.at("10.0.0.1", zones: ["a"], nodes: ["node1"]), .at("10.0.0.2", zones: ["a"], nodes: ["node2"])],
            ["10.0.0.1"]),
        Hints(
            "one has no node, all a zone", [.at("10.0.0.1", zones: ["a"], nodes: ["node1"]), .at("10.0.0.2", zones: ["a"])],
            ["10.0.0.1", "10.0.0.2"]),
        Hints("one has neither", [.at("10.0.0.1", nodes: ["node1"]), .at("10.0.0.2")], ["10.0.0.1", "10.0.0.2"]),
        Hints(
            "none is for this node", [.at("10.0.0.1", zones: ["a"], nodes: ["node3"]), .at("10.0.0.2", zones: ["b"], nodes: ["node2"])],
            ["10.0.0.1"]),
        Hints(
            "none is ready",
            [
                Endpoint(addresses: Endpoint.addresses(["10.0.0.1"]), ready: false, serving: true, terminating: true, zoneHints: ["b"]),
                .terminating("10.0.0.2", serving: true),
            ], ["10.0.0.1", "10.0.0.2"]),
        Hints("there is no endpoint", [], []),
        Hints("the one endpoint does not serve", [.at("10.0.0.1", ready: false, serving: false, zones: ["a"])], []),
    ]

    @Test(arguments: cases) fileprivate func `limit the endpoints if every ready endpoint has them and some match this node`(hints: Hints) {
        let cluster = Cluster([.clusterIP("web", "10.96.0.10")], [.of("web", hints.endpoints)], node: .named(zone: hints.zone))
        #expect(cluster.endpoints("10.96.0.10:80/TCP") == hints.near)
    }

    @Test func `do not apply with a Local traffic policy`() {
        let service = Service.clusterIP("web", "10.96.0.10", nodePort: 30080).with {
            $0.type = .nodePort
            $0.externalTrafficPolicy = .local
        }
        let slice = EndpointSlice.of(
            "web",
            [
                .at("10.0.0.1", node: "node1", zones: ["a"]), .at("10.0.0.2", node: "node1", zones: ["b"]),
                .at("10.0.0.3", node: "node2", zones: ["a"]),
            ])
        let external = Cluster([service], [slice], node: .named(zone: "a"))
        #expect(external.endpoints("10.96.0.10:80/TCP") == ["10.0.0.1", "10.0.0.3"])
        #expect(external.endpoints("10.99.0.2:30080/TCP") == ["10.0.0.1", "10.0.0.2"])
        let `internal` = Cluster(
            [
                service.with {
                    $0.externalTrafficPolicy = .cluster
                    $0.internalTrafficPolicy = .local
                }
            ], [slice], node: .named(zone: "a"))
        #expect(`internal`.endpoints("10.96.0.10:80/TCP") == ["10.0.0.1", "10.0.0.2"])
        #expect(`internal`.endpoints("10.99.0.2:30080/TCP") == ["10.0.0.1", "10.0.0.3"])
    }

    @Test func `follow the node's zone, and only affected Services are translated again`() throws {
        var cluster = Cluster(
            [.clusterIP("web", "10.96.0.10"), .clusterIP("plain", "10.96.0.11")],
            [.of("web", zoned), .of("plain", [.at("10.0.0.1")])], node: .named(zone: "a"))
        cluster.set(Node.named(zone: "b"))
        let selection = try #require(cluster.translate().selection)
        #expect(selection.virtualServers.map(\.description) == ["10.96.0.10:80/TCP"])
        #expect(cluster.endpoints("10.96.0.10:80/TCP") == ["10.0.0.2"])
        cluster.set(Node.named("node2", zone: "c"), name: "node2")
        #expect(cluster.translate() == .nothing)
        cluster.set(nil)
        #expect(cluster.translate() == .nothing, "a deleted Node changes nothing")
    }
}
