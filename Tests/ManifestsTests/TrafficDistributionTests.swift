import Model
import Testing
import Kubernetes

@testable import Manifests

@Suite struct TrafficDistributionTests {
    private static let nodes = """
        ---
        apiVersion: v1
        kind: Node
        metadata: {name: n1, labels: {topology.kubernetes.io/zone: a}}
        ---
        apiVersion: v1
        kind: Node
        metadata: {name: n2, labels: {topology.kubernetes.io/zone: b}}
        ---
        apiVersion: v1
        kind: Node
        metadata: {name: bare}

        """

    private static let pods =
        manifest(pod: "p1", ip: "10.0.0.1", spec: "nodeName: n1") + manifest(pod: "p2", ip: "10.0.0.2", spec: "nodeName: n2")
        + manifest(pod: "p3", ip: "10.0.0.3", spec: "nodeName: bare") + manifest(pod: "p4", ip: "10.0.0.4")
        + manifest(pod: "p5", ip: "10.0.0.5", spec: "nodeName: n1", status: ", phase: Pending")

    private func hints(_ spec: String, annotations: String = "") -> [[String]] {
        let cluster = PlayedCluster()
        let service = """
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: web, annotations: {\(annotations)}}
            spec: {\(spec)selector: {app: web}, ports: [{port: 80}]}

            """
        cluster.apply(service + Self.nodes + Self.pods)
        return cluster.slices("web").flatMap(\.endpoints).map { $0.zoneHints + $0.nodeHints.map { "node \($0)" } }
    }

    @Test(arguments: ["PreferClose", "PreferSameZone"])
    func `Ready endpoints get a hint for the zone of their node, if any`(distribution: String) {
        #expect(hints("trafficDistribution: \(distribution), ") == [["a"], ["b"], [], [], []])
    }

    @Test func `PreferSameNode also adds a hint for the node`() {
        #expect(hints("trafficDistribution: PreferSameNode, ") == [["a", "node n1"], ["b", "node n2"], ["node bare"], [], []])
    }

    @Test(arguments: ["", "trafficDistribution: null, "]) func `Without a traffic distribution there are no hints`(spec: String) {
        #expect(hints(spec).flatMap(\.self) == [])
    }

    @Test func `Topology-aware hints by CPU take precedence, but are not implemented`() {
        for mode in ["Auto", "auto"] {
            let hints = hints("trafficDistribution: PreferSameZone, ", annotations: "service.kubernetes.io/topology-mode: \(mode)")
            #expect(hints.flatMap(\.self) == [])
        }
        #expect(hints("trafficDistribution: PreferSameZone, ", annotations: "service.kubernetes.io/topology-mode: Disabled")[0] == ["a"])
    }

    @Test func `Hints follow the zones of Nodes`() {
        let cluster = PlayedCluster()
        cluster.apply(
            manifest(service: "web", "trafficDistribution: PreferSameZone, selector: {app: web}, ports: [{port: 80}]")
                + manifest(service: "other", "selector: {app: web}, ports: [{port: 80}]") + Self.pods)
        #expect(cluster.slices("web").flatMap(\.endpoints).flatMap(\.zoneHints) == [])
        cluster.apply(Self.nodes)
        #expect(cluster.slices("web").flatMap(\.endpoints).map(\.zoneHints) == [["a"], ["b"], [], [], []])
        // The three Nodes and the slice with hints.
        #expect(cluster.changes.count == 4)
        cluster.apply(Self.nodes.replacing("zone: a", with: "zone: c"))
        #expect(cluster.slices("web").flatMap(\.endpoints).map(\.zoneHints) == [["c"], ["b"], [], [], []])
    }

    @Test func `Slices from manifests and mirrored slices keep their own hints`() {
        let cluster = PlayedCluster()
        cluster.apply(
            manifest(service: "web", "trafficDistribution: PreferSameNode, ports: [{port: 80}]") + Self.nodes + """
                ---
                apiVersion: v1
                kind: Endpoints
                metadata: {name: web}
                subsets: [{addresses: [{ip: 192.0.2.1, nodeName: n1}], ports: [{port: 80}]}]
                ---
                apiVersion: discovery.k8s.io/v1
                kind: EndpointSlice
                metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
                addressType: IPv4
                endpoints: [{addresses: [192.0.2.2], nodeName: n1}]

                """)
        #expect(cluster.slices("web").flatMap(\.endpoints).map { $0.zoneHints + $0.nodeHints } == [[], []])
    }
}
