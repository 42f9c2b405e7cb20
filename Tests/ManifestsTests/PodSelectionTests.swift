import Model
import Testing
import Kubernetes

@testable import Manifests

@Suite struct PodSelectionTests {
    static let web = manifest(service: "web", "selector: {app: web, tier: front}, ports: [{port: 80, targetPort: http}]")
    static func pod(_ name: String, _ ip: String, port: Int = 8080, status: String = "", meta: String = "", portName: String = "http")
        -> String
    {
        manifest(
            pod: name, ip: ip, labels: "app: web, tier: front",
            spec: "nodeName: n1, containers: [{name: c, ports: [{name: \(portName), containerPort: \(port)}]}]", status: status, meta: meta)
    }

    @Test func `All labels must match, in the same namespace`() {
        let cluster = PlayedCluster()
        cluster.apply(
            Self.web + Self.pod("a", "10.244.0.1") + manifest(pod: "b", ip: "10.244.0.2")
                + Self.pod("c", "10.244.0.3", meta: ", namespace: other"))
        #expect(cluster.slices("web").flatMap(\.endpoints).map(\.pod) == ["a"])
        #expect(cluster.slices("web").flatMap(\.endpoints).map(\.nodeName) == ["n1"])
    }

    @Test func `Named ports are resolved for each Pod, and Pods with different numbers are in separate slices`() {
        let cluster = PlayedCluster()
        cluster.apply(
            Self.web + Self.pod("a", "10.244.0.1") + Self.pod("b", "10.244.0.2", port: 9090) + Self.pod("c", "10.244.0.3")
                + Self.pod("d", "10.244.0.4", portName: "other"))
        let slices = cluster.slices("web")
        #expect(slices.map(\.metadata.name) == ["web-manifest-ipv4-0", "web-manifest-ipv4-1", "web-manifest-ipv4-2"])
        #expect(slices.map { $0.ports.map(\.port) } == [[8080], [9090], []])
        #expect(slices.map { $0.endpoints.map(\.pod) } == [["a", "c"], ["b"], ["d"]])
    }

    @Test func `Readiness follows the Pod's status and termination`() {
        let cluster = PlayedCluster()
        let ready = ", conditions: [{type: Ready, status: \"True\"}]"
        let unready = ", conditions: [{type: Ready, status: \"False\"}]"
        let terminating = ", deletionTimestamp: \"2026-01-01T00:00:00Z\""
        cluster.apply(
            Self.web + Self.pod("a", "10.0.0.1", status: ready) + Self.pod("b", "10.0.0.2", status: unready)
                + Self.pod("c", "10.0.0.3", status: ready, meta: terminating) + Self.pod("d", "10.0.0.4", status: ", phase: Pending")
                + Self.pod("e", "10.0.0.5", status: ", phase: Failed") + Self.pod("f", "10.0.0.6", status: ", phase: Running"))
        let endpoints = cluster.slices("web").flatMap(\.endpoints)
        #expect(endpoints.map(\.pod) == ["a", "b", "c", "d", "f"])
        #expect(endpoints.map(\.isReady) == [true, false, false, false, true])
        #expect(endpoints.map(\.isServing) == [true, false, true, false, true])
        #expect(endpoints.map(\.isTerminating) == [false, false, true, false, false])
    }

    @Test func `publishNotReadyAddresses makes all endpoints ready`() {
        let cluster = PlayedCluster()
        cluster.apply(
            manifest(service: "web", "selector: {app: web}, publishNotReadyAddresses: true, ports: [{port: 80}]")
                + manifest(pod: "p", ip: "10.0.0.1", status: ", phase: Pending"))
        #expect(cluster.slices("web").flatMap(\.endpoints).map(\.isReady) == [true])
    }

    @Test func `A dual-stack Service has slices of both families`() {
        let cluster = PlayedCluster(ranges: ["10.96.0.0/12", "fd00::/112"])
        cluster.apply(
            manifest(service: "web", "selector: {app: web}, ipFamilyPolicy: PreferDualStack, ports: [{port: 80}]") + """
                ---
                apiVersion: v1
                kind: Pod
                metadata: {name: p, labels: {app: web}}
                status: {podIPs: [{ip: 10.0.0.1}, {ip: "fd01::1"}]}
                """)
        #expect(cluster.slices("web").map(\.metadata.name) == ["web-manifest-ipv4-0", "web-manifest-ipv6-0"])
        #expect(cluster.slices("web").map(\.addressType) == [.ipv4, .ipv6])
        #expect(cluster.slices("web").flatMap(\.endpoints).flatMap(\.addresses).map(\.description) == ["10.0.0.1", "fd01::1"])
    }

    @Test func `A Pod change affects only the Services that select it`() {
        let cluster = PlayedCluster()
        cluster.apply(Self.web + manifest(service: "other", "selector: {app: db}, ports: [{port: 1}]") + Self.pod("a", "10.0.0.1"))
        cluster.apply(Self.pod("a", "10.0.0.2"))
        #expect(cluster.changes.count == 1)
        #expect(cluster.slices("web").flatMap(\.endpoints).flatMap(\.addresses).map(\.description) == ["10.0.0.2"])
        cluster.apply(manifest(pod: "a", ip: "10.0.0.2", labels: "app: db"))
        #expect(cluster.slices("web").isEmpty)
        #expect(cluster.slices("other").count == 1)
        cluster.apply("", deleting: ["a"])
        #expect(cluster.state.slices.isEmpty)
    }

    @Test func `A slice manifest for a Service replaces its selector`() {
        func slice(_ service: String) -> String {
            """
            ---
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: web-manifest-ipv4-0, labels: {kubernetes.io/service-name: \(service)}}
            addressType: IPv4
            endpoints: [{addresses: [10.9.9.9]}]

            """
        }
        let cluster = PlayedCluster()
        cluster.apply(Self.web + Self.pod("a", "10.0.0.1"))
        #expect(cluster.slices("web").flatMap(\.endpoints).flatMap(\.addresses).map(\.description) == ["10.0.0.1"])
        cluster.apply(slice("web"))
        #expect(cluster.slices("web").flatMap(\.endpoints).flatMap(\.addresses).map(\.description) == ["10.9.9.9"])
        cluster.apply(slice("other"))
        #expect(cluster.slices("web").map(\.metadata.name) == ["web-manifest-ipv4-1"])
        #expect(cluster.slices("web").flatMap(\.endpoints).flatMap(\.addresses).map(\.description) == ["10.0.0.1"])
        cluster.apply("", deleting: ["web-manifest-ipv4-0", "web"])
        #expect(cluster.state.slices.isEmpty)
    }

    @Test func `Named ports of sidecars are used after those of containers, those of other init containers are not`() {
        let cluster = PlayedCluster()
        let containers = """
            initContainers: [
              {name: setup, ports: [{name: admin, containerPort: 7000}]},
              {name: once, restartPolicy: Never, ports: [{name: once, containerPort: 7001}]},
              {name: tls, restartPolicy: Always, ports: [{name: https, containerPort: 9443}, {name: http, containerPort: 9080}]}],
            containers: [{name: app, ports: [{name: http, containerPort: 8000}]}]
            """
        cluster.apply(
            ["https", "http", "admin", "once"].map {
                manifest(service: $0, "selector: {app: web}, ports: [{name: \($0), port: 80, targetPort: \($0)}]")
            }.joined() + manifest(pod: "web-0", ip: "10.244.1.10", spec: containers))
        func port(_ service: String) -> [UInt16?] { cluster.slices(service).flatMap(\.ports).map(\.port) }
        #expect(port("https") == [9443] && port("http") == [8000])
        // As in Kubernetes, the Pod is still an endpoint in a slice without ports.
        for name in ["admin", "once"] { #expect(port(name) == [] && cluster.slices(name).flatMap(\.endpoints).map(\.pod) == ["web-0"]) }
    }
}
