import Model
import Testing
import Kubernetes

@testable import Manifests

@Suite struct EndpointsMirrorTests {
    private func endpoints(_ rest: String, name: String = "database", meta: String = "") -> String {
        "---\napiVersion: v1\nkind: Endpoints\nmetadata: {name: \(name)\(meta)}\n\(rest)\n"
    }

    private static let two = "subsets: [{addresses: [{ip: 192.0.2.50}, {ip: 192.0.2.51}], ports: [{port: 5432}]}]"

    @Test func `Endpoints of a Service without selector become a slice as by the mirroring controller`() {
        let cluster = PlayedCluster()
        cluster.apply(
            manifest(service: "database", "ports: [{port: 5432}]")
                + endpoints(
                    Self.two,
                    meta:
                        ", labels: {app: db}, annotations: {kube-ipvs-proxy.io/weights: \"192.0.2.50=2\", endpoints.kubernetes.io/last-change-trigger-time: \"2026-01-01T00:00:00Z\"}"
                ))
        #expect(cluster.warnings == [])
        #expect(
            cluster.slices("database") == [
                EndpointSlice(
                    metadata: ObjectMeta(
                        name: "database-mirrored-ipv4-0", namespace: "default",
                        labels: [
                            "app": "db", "kubernetes.io/service-name": "database",
                            "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
                        ], annotations: ["kube-ipvs-proxy.io/weights": "192.0.2.50=2"]),
                    addressType: .ipv4,
                    endpoints: [
                        Endpoint(addresses: Endpoint.addresses(["192.0.2.50"]), ready: true),
                        Endpoint(addresses: Endpoint.addresses(["192.0.2.51"]), ready: true),
                    ],
                    ports: [EndpointPort(name: "", port: 5432)])
            ])
    }

    @Test func `Families, sets of ports and readiness are kept separate`() {
        let cluster = PlayedCluster()
        cluster.apply(
            manifest(service: "database", "ports: [{port: 1, name: a}, {port: 2, name: b}]")
                + endpoints(
                    """
                    subsets:
                    - addresses: [{ip: 192.0.2.1, nodeName: n1, targetRef: {kind: Pod, name: db-0}}, {ip: "2001:DB8::0001"}]
                      notReadyAddresses: [{ip: 192.0.2.2}]
                      ports: [{name: a, port: 11}]
                    - addresses: [{ip: 192.0.2.3}]
                      ports: [{name: b, port: 22, protocol: UDP}]
                    - addresses: [{ip: 192.0.2.4}]
                      ports: [{name: a, port: 11}]
                    """))
        let slices = cluster.slices("database")
        #expect(
            slices.map(\.metadata.name) == ["database-mirrored-ipv4-0", "database-mirrored-ipv4-1", "database-mirrored-ipv6-0"])
        #expect(
            slices.map { $0.endpoints.flatMap(\.addresses).map(\.description) } == [
                ["192.0.2.1", "192.0.2.2", "192.0.2.4"], ["192.0.2.3"], ["2001:db8::1"],
            ])
        #expect(slices[0].endpoints.map(\.isReady) == [true, false, true])
        #expect(slices[0].endpoints[0].nodeName == "n1" && slices[0].endpoints[0].pod == "db-0")
        #expect(slices[1].ports == [EndpointPort(name: "b", port: 22, transport: .udp)])
    }

    @Test(
        arguments: [
            ("", ", labels: {endpointslice.kubernetes.io/skip-mirror: \"true\"}", "excludes the Endpoints from mirroring"),
            ("", ", annotations: {control-plane.alpha.kubernetes.io/leader: \"{}\"}", "leader election lock"),
            ("selector: {a: b}, ", "", "selector"),
        ])
    func `Endpoints that are not mirrored are reported once`(spec: String, meta: String, messagePart: String) {
        let cluster = PlayedCluster()
        let text = manifest(service: "database", "\(spec)ports: [{port: 5432}]") + endpoints(Self.two, meta: meta)
        cluster.apply(text)
        #expect(cluster.slices("database").isEmpty)
        #expect(cluster.warnings.map(\.object) == [.init(kind: .endpoints, name: NamespacedName(namespace: "default", name: "database"))])
        #expect(cluster.warnings.first?.field.message.contains(messagePart) == true)
        cluster.apply(text)
        #expect(cluster.warnings == [])
    }

    @Test func `The skip-mirror label has an effect only with the value true`() {
        let cluster = PlayedCluster()
        cluster.apply(
            manifest(service: "database") + endpoints(Self.two, meta: ", labels: {endpointslice.kubernetes.io/skip-mirror: \"false\"}"))
        #expect(cluster.slices("database").count == 1 && cluster.warnings == [])
    }

    @Test func `Mirrored slices follow changes of their Service and of the Endpoints`() {
        let cluster = PlayedCluster()
        cluster.apply(endpoints(Self.two))
        #expect(cluster.state.slices.isEmpty && cluster.warnings.count == 1)
        cluster.apply(manifest(service: "database"))
        #expect(cluster.slices("database").flatMap(\.endpoints).count == 2)
        cluster.apply(endpoints("subsets: [{addresses: [{ip: 192.0.2.50}], ports: [{port: 5432}]}]"))
        #expect(cluster.slices("database").flatMap(\.endpoints).count == 1)
        #expect(cluster.changes.count == 1)
        cluster.apply(manifest(service: "database", "selector: {a: b}, ports: [{port: 80}]"))
        #expect(cluster.slices("database").isEmpty)
        cluster.apply(manifest(service: "database"))
        #expect(cluster.slices("database").count == 1)
        cluster.apply("", deleting: ["database"])
        #expect(cluster.state.slices.isEmpty)
    }

    @Test func `A slice from a manifest is used in addition to mirrored ones`() {
        let cluster = PlayedCluster()
        let slice = """
            ---
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: database-mirrored-ipv4-0, labels: {kubernetes.io/service-name: database}}
            addressType: IPv4
            endpoints: [{addresses: [192.0.2.60]}]

            """
        cluster.apply(manifest(service: "database") + slice + endpoints(Self.two))
        #expect(cluster.slices("database").map(\.metadata.name) == ["database-mirrored-ipv4-0", "database-mirrored-ipv4-1"])
        #expect(
            cluster.slices("database").flatMap(\.endpoints).flatMap(\.addresses).map(\.description) == [
                "192.0.2.60", "192.0.2.50", "192.0.2.51",
            ])
    }

    @Test func `Only the first thousand addresses of a subset are used, and the excess is reported`() {
        let addresses = (0..<700).map { "{ip: 10.0.\($0 / 250).\($0 % 250)}" }.joined(separator: ", ")
        let cluster = PlayedCluster()
        cluster.apply(
            manifest(service: "database")
                + endpoints(
                    "subsets: [{addresses: [\(addresses)], notReadyAddresses: [\(addresses.replacing("10.0", with: "10.1"))], ports: [{port: 1}]}]"
                ))
        let mirrored = cluster.slices("database").flatMap(\.endpoints)
        #expect(mirrored.count == 1000 && mirrored.filter(\.isReady).count == 700)
        #expect(cluster.warnings.map(\.field.field) == ["subsets[0]"] && cluster.warnings.map(\.field.value) == ["1400"])
    }
}
