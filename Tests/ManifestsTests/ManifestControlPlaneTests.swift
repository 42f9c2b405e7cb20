import Model
import Testing
import Kubernetes

@testable import Manifests

/// A reference to a control plane and to the cluster state that follows it.
final class PlayedCluster {
    private var controlPlane: ManifestControlPlane
    private(set) var state = ClusterState()
    private(set) var problems: [ControlPlaneProblem] = []
    private(set) var warnings: [ControlPlaneProblem] = []
    private(set) var changes: [ClusterChange] = []

    init(ranges: [String] = ["10.96.0.0/12"], nodePorts: ClosedRange<UInt16> = 30000...32767) {
        controlPlane = ManifestControlPlane(
            settings: ManifestSettings(serviceClusterIPRanges: ranges.compactMap { CIDR($0) }, nodePorts: nodePorts))
    }

    /// Applies manifests and deletions of objects by name in one step.
    func apply(_ text: String, deleting names: [String] = []) {
        let result = reading(text)
        #expect(result.problems == [])
        var input: [ManifestObject.Key: ManifestObject?] = [:]
        for object in result.objects { input[object.key] = .some(object) }
        for name in names {
            for kind in ManifestKind.allCases where kind.isNamespaced {
                input[.init(kind: kind, name: NamespacedName(namespace: "default", name: name))] = .some(nil)
            }
        }
        let outcome = controlPlane.apply(input)
        problems = outcome.problems
        warnings = outcome.warnings
        changes = outcome.changes
        for change in changes { state.apply(change) }
    }

    func service(_ name: String) -> Service? { state.services[NamespacedName(namespace: "default", name: name)] }

    func slices(_ name: String) -> [EndpointSlice] {
        state.slices[NamespacedName(namespace: "default", name: name)]?.all ?? []
    }
}

func manifest(service name: String, created: String? = nil, _ spec: String = "ports: [{port: 80}]") -> String {
    let time = created.map { ", creationTimestamp: \"\($0)\"" } ?? ""
    return "---\napiVersion: v1\nkind: Service\nmetadata: {name: \(name)\(time)}\nspec: {\(spec)}\n"
}

func manifest(pod name: String, ip: String, labels: String = "app: web", spec: String = "", status: String = "", meta: String = "")
    -> String
{
    "---\napiVersion: v1\nkind: Pod\nmetadata: {name: \(name), labels: {\(labels)}\(meta)}\nspec: {\(spec)}\nstatus: {podIPs: [{ip: \"\(ip)\"}]\(status)}\n"
}

@Suite struct ManifestControlPlaneTests {
    @Test func `The tutorial's two Services and their Pod work unchanged`() throws {
        let cluster = PlayedCluster()
        cluster.apply(
            """
            apiVersion: v1
            kind: Service
            metadata:
              name: local-cluster
            spec:
              type: ClusterIP
              selector:
                app: nginx
              ports:
              - port: 80
                targetPort: 80
            ---
            apiVersion: v1
            kind: Service
            metadata:
              name: nodeport-wide
            spec:
              type: NodePort
              selector:
                app: nginx
              ports:
              - port: 80
                targetPort: 80
            ---
            apiVersion: v1
            kind: Pod
            metadata:
              name: nginx
              labels:
                app: nginx
            spec:
              containers:
              - name: nginx
                image: nginx
            status:
              podIP: 10.244.1.3
            """)
        #expect(cluster.problems.isEmpty)
        let range = try #require(CIDR("10.96.0.0/12"))
        for name in ["local-cluster", "nodeport-wide"] {
            let service = try #require(cluster.service(name))
            #expect(range.contains(try #require(IPAddress(service.clusterIP))))
            #expect(service.clusterIPs == [service.clusterIP])
            #expect(service.ipFamilies == [.ipv4])
            #expect(service.ports.map(\.targetPort) == [.number(80)])
            let slice = try #require(cluster.slices(name).first)
            #expect(slice.metadata.name == "\(name)-manifest-ipv4-0")
            #expect(slice.ports == [EndpointPort(name: "", port: 80)])
            #expect(
                slice.endpoints == [
                    Endpoint(addresses: Endpoint.addresses(["10.244.1.3"]), ready: true, serving: true, terminating: false, pod: "nginx")
                ])
        }
        #expect(cluster.service("local-cluster")?.ports.first?.nodePort == 0)
        #expect((30000...32767).contains(try #require(cluster.service("nodeport-wide")?.ports.first?.nodePort)))
    }

    @Test func `Allocated values are the same at each start and stay while other Services are added and removed`() throws {
        let text = (0..<200).map { manifest(service: "s\($0)", "type: NodePort, ports: [{port: 80}]") }.joined()
        let first = PlayedCluster(ranges: ["10.96.0.0/23"])
        let second = PlayedCluster(ranges: ["10.96.0.0/23"])
        first.apply(text)
        second.apply(text)
        #expect(first.state.services == second.state.services)
        let addresses = Set(first.state.services.values.map(\.clusterIP))
        #expect(addresses.count == 200)
        #expect(!addresses.contains("10.96.0.0") && !addresses.contains("10.96.1.255"))
        #expect(Set(first.state.services.values.compactMap(\.ports.first?.nodePort)).count == 200)
        let kept = first.service("s7")
        first.apply(manifest(service: "a0"), deleting: ["s1", "s2", "s3"])
        first.apply(manifest(service: "s7", "type: NodePort, ports: [{port: 80}], sessionAffinity: ClientIP"))
        #expect(first.service("s7")?.clusterIP == kept?.clusterIP)
        #expect(first.service("s7")?.ports == kept?.ports)
        #expect(first.changes.count == 1)
    }

    @Test func `Specified values are never allocated to another Service`() {
        let free = PlayedCluster()
        free.apply(manifest(service: "web", "type: NodePort, ports: [{port: 80}]"))
        let unconstrained = free.service("web")
        let address = unconstrained?.clusterIP ?? ""
        let port = unconstrained?.ports.first?.nodePort ?? 0
        let cluster = PlayedCluster()
        cluster.apply(
            manifest(service: "web", "type: NodePort, ports: [{port: 80}]")
                + manifest(service: "z", "type: NodePort, clusterIP: \(address), ports: [{port: 1, nodePort: \(port)}]"))
        #expect(cluster.problems.isEmpty)
        #expect(cluster.service("z")?.clusterIP == address)
        #expect(cluster.service("web")?.clusterIP == (IPAddress(address)?.advanced(by: 1)).map { "\($0)" })
        #expect(cluster.service("web")?.ports.first?.nodePort == port + 1)
    }

    @Test func `An allocated address is not taken by a Service that specifies it later, which gets it once free`() {
        let cluster = PlayedCluster()
        cluster.apply(manifest(service: "web"))
        let address = cluster.service("web")?.clusterIP ?? ""
        cluster.apply(manifest(service: "late", "clusterIP: \(address), ports: [{port: 80}]"))
        #expect(cluster.service("late") == nil)
        #expect(cluster.problems.map(\.object.name.name) == ["late"])
        #expect(
            cluster.problems.first?.field
                == FieldProblem(
                    "spec.clusterIP", address, "is already allocated to Service default/web (chosen automatically): choose another"))
        cluster.apply("", deleting: ["web"])
        #expect(cluster.service("late")?.clusterIP == address)
    }

    @Test func `A Service may specify its allocated address`() {
        let cluster = PlayedCluster()
        cluster.apply(manifest(service: "web"))
        let address = cluster.service("web")?.clusterIP ?? ""
        cluster.apply(manifest(service: "web", "clusterIP: \(address), ports: [{port: 80}]"))
        #expect(cluster.problems.isEmpty && cluster.changes.isEmpty)
        cluster.apply(manifest(service: "web"))
        #expect(cluster.service("web")?.clusterIP == address)
    }

    @Test func `The older of two Services that specify the same address gets it, whatever the order`() {
        let old = manifest(service: "z-old", created: "2025-01-01T00:00:00Z", "clusterIP: 10.96.0.5, ports: [{port: 80}]")
        let young = manifest(service: "a-young", created: "2026-01-01T00:00:00Z", "clusterIP: 10.96.0.5, ports: [{port: 80}]")
        let none = manifest(service: "a-none", "clusterIP: 10.96.0.5, ports: [{port: 80}]")
        let together = PlayedCluster()
        together.apply(old + young + none)
        #expect(together.state.services.keys.map(\.name) == ["z-old"])
        #expect(Set(together.problems.map(\.object.name.name)) == ["a-young", "a-none"])
        let oneByOne = PlayedCluster()
        for text in [young, none, old] { oneByOne.apply(text) }
        #expect(oneByOne.state.services.keys.map(\.name) == ["z-old"])
        oneByOne.apply("", deleting: ["z-old"])
        #expect(oneByOne.state.services.keys.map(\.name) == ["a-young"])
    }

    @Test func `An added Service does not take the address of an existing one unless it is provably older`() {
        let cluster = PlayedCluster()
        cluster.apply(manifest(service: "web", "clusterIP: 10.96.0.5, ports: [{port: 80}]"))
        cluster.apply(manifest(service: "api", "clusterIP: 10.96.0.5, ports: [{port: 80}]"))
        cluster.apply(manifest(service: "claims-age", created: "1999-01-01T00:00:00Z", "clusterIP: 10.96.0.5, ports: [{port: 80}]"))
        #expect(cluster.state.services.keys.map(\.name) == ["web"])
        #expect(Set(cluster.problems.map(\.object.name.name)).isSubset(of: ["api", "claims-age"]))
    }

    @Test(arguments: [22, 6443, 29999, 32768]) func `A node port outside the range is refused, as the node itself could use it`(port: Int) {
        let cluster = PlayedCluster()
        cluster.apply(manifest(service: "web", "type: NodePort, ports: [{port: 80, nodePort: \(port)}]"))
        #expect(cluster.state.services.isEmpty)
        #expect(cluster.problems.map(\.field.value) == ["\(port)"])
    }

    @Test func `TCP and UDP of one port get the same node port`() {
        let cluster = PlayedCluster()
        cluster.apply(manifest(service: "dns", "type: NodePort, ports: [{name: a, port: 53}, {name: b, port: 53, protocol: UDP}]"))
        let ports = cluster.service("dns")?.ports.map(\.nodePort) ?? []
        #expect(ports.count == 2 && Set(ports).count == 1)
    }

    @Test func `A full range is reported, and freed values are reused`() {
        let cluster = PlayedCluster(ranges: ["10.96.0.0/30"], nodePorts: 30000...30000)
        cluster.apply(manifest(service: "a") + manifest(service: "b") + manifest(service: "c"))
        #expect(Set(cluster.state.services.values.map(\.clusterIP)) == ["10.96.0.1", "10.96.0.2"])
        #expect(cluster.problems.map(\.field.field) == ["spec.clusterIP"])
        #expect(cluster.service("c") == nil)
        cluster.apply("", deleting: ["a"])
        #expect(cluster.service("c") != nil)
        cluster.apply(manifest(service: "b", "type: NodePort, ports: [{port: 1, name: a}, {port: 2, name: b}]"))
        #expect(cluster.problems.map(\.field.field) == ["spec.ports[].nodePort"])
    }

    @Test func `Dual-stack addresses follow the policy and the available ranges`() {
        let both = PlayedCluster(ranges: ["10.96.0.0/12", "fd00:10:96::/112"])
        both.apply(
            manifest(service: "prefer", "ipFamilyPolicy: PreferDualStack, ports: [{port: 80}]")
                + manifest(service: "six", "ipFamilies: [IPv6], ports: [{port: 80}]")
                + manifest(service: "six-four", "ipFamilies: [IPv6, IPv4], ipFamilyPolicy: RequireDualStack, ports: [{port: 80}]")
                + manifest(service: "one", "ports: [{port: 80}]")
                + manifest(service: "half", "clusterIP: 10.96.0.1, ipFamilyPolicy: RequireDualStack, ports: [{port: 80}]"))
        #expect(both.problems.isEmpty)
        #expect(both.service("prefer")?.ipFamilies == [.ipv4, .ipv6])
        #expect(both.service("prefer")?.clusterIPs.count == 2)
        #expect(both.service("six")?.clusterIPs.map { IPAddress($0)?.family } == [.ipv6])
        #expect(both.service("six-four")?.clusterIPs.map { IPAddress($0)?.family } == [.ipv6, .ipv4])
        #expect(both.service("one")?.clusterIPs.count == 1)
        #expect(both.service("half")?.clusterIPs.first == "10.96.0.1")
        #expect(both.service("half")?.clusterIPs.count == 2)
        let four = PlayedCluster()
        four.apply(
            manifest(service: "prefer", "ipFamilyPolicy: PreferDualStack, ports: [{port: 80}]")
                + manifest(service: "require", "ipFamilyPolicy: RequireDualStack, ports: [{port: 80}]")
                + manifest(service: "six", "ipFamilies: [IPv6], ports: [{port: 80}]"))
        #expect(four.state.services.keys.map(\.name) == ["prefer"])
        #expect(four.problems.map(\.field.field) == ["spec.ipFamilyPolicy", "spec.ipFamilies"])
        #expect(four.problems.map(\.object.name.name) == ["require", "six"])
    }

    @Test func `Headless and ExternalName Services get no address`() {
        let cluster = PlayedCluster()
        cluster.apply(
            manifest(service: "headless", "clusterIP: None, selector: {app: web}")
                + manifest(service: "name", "type: ExternalName, externalName: a.b")
                + manifest(pod: "p", ip: "10.244.0.1"))
        #expect(cluster.service("headless")?.clusterIP == "None")
        #expect(cluster.service("name")?.clusterIP == "")
        #expect(cluster.slices("headless").count == 1)
    }

    @Test func `A load balancer with local traffic gets a health check port, and node ports are not allocated if disabled`() {
        let cluster = PlayedCluster()
        cluster.apply(
            manifest(service: "lb", "type: LoadBalancer, externalTrafficPolicy: Local, ports: [{port: 80}]")
                + manifest(service: "bare", "type: LoadBalancer, allocateLoadBalancerNodePorts: false, ports: [{port: 80}]"))
        let service = cluster.service("lb")
        #expect((30000...32767).contains(service?.healthCheckNodePort ?? 0))
        #expect(service?.healthCheckNodePort != service?.ports.first?.nodePort)
        #expect(cluster.service("bare")?.ports.first?.nodePort == 0)
        #expect(cluster.service("bare")?.healthCheckNodePort == 0)
    }

    @Test func `Cluster IPs may be specified from ranges of ServiceCIDRs, and are removed with them`() {
        let outside = manifest(service: "web", "clusterIP: 172.16.5.5, ports: [{port: 80}]")
        func block(_ cidrs: String) -> String {
            "---\napiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {name: added}\nspec: {cidrs: [\(cidrs)]}\n"
        }
        let cluster = PlayedCluster()
        cluster.apply(outside + manifest(service: "chosen"))
        #expect(cluster.state.services.keys.map(\.name) == ["chosen"])
        cluster.apply(block("172.16.0.0/16"))
        #expect(cluster.service("web")?.clusterIP == "172.16.5.5" && cluster.problems.isEmpty)
        #expect(cluster.changes.count == 1)
        cluster.apply(block("172.17.0.0/16"))
        #expect(cluster.service("web") == nil && cluster.problems.map(\.field.value) == ["172.16.5.5"])
        for cidrs in ["", "x", "10.0.0.0/16, 10.1.0.0/16"] { #expect(reading(block(cidrs)).problems.count == 1) }
    }
}
