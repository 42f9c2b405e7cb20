import Model
import Testing
import Kubernetes

@testable import Manifests

/// Node ports and health check ports, which one allocator assigns by number, whatever the protocol.
@Suite struct NodePortAllocationTests {
    struct Row: CustomTestStringConvertible, Sendable {
        var spec: String
        /// The node ports in order, then the health check port; or the refused field and value.
        var expected: Result
        var testDescription: String { spec }

        enum Result: Sendable { case gets([UInt16]), refused(String, String) }

        init(_ ports: String, _ expected: Result, _ more: String = "type: NodePort") {
            spec = "\(more), ports: [\(ports)]"
            self.expected = expected
        }
    }

    private static let local = "type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 30989"

    static let rows: [Row] = [
        Row("{name: a, port: 53, nodePort: 30053}, {name: b, port: 53, protocol: UDP, nodePort: 30053}", .gets([30053, 30053])),
        Row("{name: a, port: 53, nodePort: 30053}, {name: b, port: 53, protocol: UDP}", .gets([30053, 30053])),
        Row("{name: a, port: 53}, {name: b, port: 53, protocol: UDP, nodePort: 30053}", .gets([30053, 30053])),
        Row("{name: a, port: 53, nodePort: 30053}, {name: b, port: 53, protocol: UDP, nodePort: 30054}", .gets([30053, 30054])),
        Row(
            "{name: a, port: 53, nodePort: 30053}, {name: b, port: 54, protocol: UDP, nodePort: 30053}",
            .refused("spec.ports[1].nodePort", "30053")),
        Row("{name: a, port: 53, nodePort: 30053}, {name: b, port: 54, nodePort: 30053}", .refused("spec.ports[1].nodePort", "30053")),
        Row(
            "{name: app, port: 80, nodePort: 32103}, {name: hc, port: 81, nodePort: 30989}", .refused("spec.healthCheckNodePort", "30989"),
            local),
        Row("{name: hc, port: 81, protocol: UDP, nodePort: 30989}", .refused("spec.healthCheckNodePort", "30989"), local),
        Row("{name: app, port: 80, nodePort: 32103}", .gets([32103, 30989]), local),
        Row(
            "{name: a, port: 53}, {name: b, port: 53, protocol: UDP, nodePort: 30053}", .gets([0, 30053]),
            "type: LoadBalancer, allocateLoadBalancerNodePorts: false"),
    ]

    @Test(arguments: rows) func `Within a Service, only the protocols of one port may share a node port`(row: Row) throws {
        let cluster = PlayedCluster()
        let text = manifest(service: "web", row.spec) + manifest(service: "good")
        let read = reading(text)
        switch row.expected {
        case .gets(let ports):
            cluster.apply(text)
            let service = try #require(cluster.service("web"))
            #expect((service.ports.map(\.nodePort) + [service.healthCheckNodePort].filter { $0 != 0 }) == ports)
        case .refused(let field, let value) where read.problems.isEmpty:
            cluster.apply(text)
            #expect(cluster.problems.map(\.field.field) == [field] && cluster.problems.map(\.field.value) == [value])
            #expect(cluster.problems.first?.field.message.contains("already allocated") == true)
            #expect(cluster.state.services.keys.map(\.name) == ["good"])
        case .refused(let field, let value):
            // A duplicate for one protocol is found when reading the manifest.
            #expect(read.problems.map(\.field) == [field] && read.problems.map(\.value) == [value])
            #expect(read.objects.map(\.metadata.name) == ["good"])
        }
    }

    static let claims = [
        "type: NodePort, ports: [{port: 80, nodePort: 31000}]", "type: NodePort, ports: [{port: 80, nodePort: 31000, protocol: UDP}]",
        "type: NodePort, ports: [{port: 80, nodePort: 31000, protocol: SCTP}]",
        "type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 31000, ports: [{port: 80, nodePort: 31001}]",
        "type: LoadBalancer, allocateLoadBalancerNodePorts: false, ports: [{port: 80, nodePort: 31000}]",
    ]

    @Test(arguments: claims, claims)
    func `Across Services a node port belongs to the first holder or the provably older Service`(one: String, other: String) {
        let together = PlayedCluster()
        together.apply(
            manifest(service: "b", created: "2025-01-01T00:00:00Z", one) + manifest(service: "a", created: "2026-01-01T00:00:00Z", other))
        #expect(together.state.services.keys.map(\.name) == ["b"])
        #expect(together.problems.map(\.object.name.name) == ["a"])
        #expect(together.problems.first?.field.message.contains("already allocated to Service default/b") == true)

        let later = PlayedCluster()
        later.apply(manifest(service: "b", one))
        later.apply(manifest(service: "a", other))
        #expect(later.state.services.keys.map(\.name) == ["b"])
        later.apply("", deleting: ["b"])
        #expect(later.state.services.keys.map(\.name) == ["a"])
    }

    @Test(arguments: claims) func `An allocated node port is not given to another Service`(claim: String) {
        // The range is full: one number for traffic, one for health checks.
        let cluster = PlayedCluster(nodePorts: 31000...31001)
        cluster.apply(manifest(service: "lb", "type: LoadBalancer, externalTrafficPolicy: Local, ports: [{port: 80}]"))
        let chosen = cluster.service("lb")
        #expect(Set([chosen?.ports.first?.nodePort, chosen?.healthCheckNodePort]) == [31000, 31001])
        cluster.apply(manifest(service: "late", claim))
        #expect(cluster.service("late") == nil && cluster.service("lb") == chosen)
    }
}
