import Kubernetes
import Model
import Testing
import Translation

@testable import KernelDataplane

private func node(_ addresses: [(String, String)], podCIDRs: [String] = []) -> Node {
    Node(
        metadata: ObjectMeta(name: "node1"), podCIDRs: podCIDRs, addresses: addresses.map { NodeAddress(type: $0.0, address: $0.1) })
}

@Suite struct `The Node object` {
    @Test func `provides its first internal address of each family, or else an external one`() {
        let addresses = [
            ("Hostname", "node1"), ("ExternalIP", "203.0.113.1"), ("ExternalIP", "2001:db8::1"), ("InternalIP", "192.0.2.1"),
            ("InternalIP", "192.0.2.2"), ("InternalIP", "no address"),
        ]
        #expect(node(addresses).hostAddresses.map(\.description) == ["192.0.2.1", "2001:db8::1"])
        #expect(node([]).hostAddresses.isEmpty)
    }

    @Test func `defines the node port addresses if configured, even after its deletion`() {
        var cluster = Cluster(TranslationSettings(nodeName: "node1", nodePortAddresses: .primary))
        cluster.set(.clusterIP("web", "10.96.0.10", nodePort: 30080))
        cluster.translate()
        #expect(cluster.servers == ["10.96.0.10:80/TCP []"])
        cluster.set(node([("InternalIP", "192.0.2.1")]))
        cluster.translate()
        #expect(cluster.servers == ["10.96.0.10:80/TCP []", "192.0.2.1:30080/TCP []"])
        cluster.set(nil)
        #expect(cluster.translate() == .only(.init()))
        #expect(cluster.servers.count == 2)
        cluster.set(node([("InternalIP", "192.0.2.9")]))
        cluster.translate()
        #expect(cluster.servers == ["10.96.0.10:80/TCP []", "192.0.2.9:30080/TCP []"])
    }

    @Test func `defines local traffic by its pod CIDRs in NodeCIDR mode, including their changes`() throws {
        func notLocal(_ cluster: Cluster, _ family: IPFamily) throws -> [String] {
            let rules = try #require(cluster.translation.desired.rules[family])
            return rules.chains.values.joined().map { RuleText.text($0, family) }.filter { $0.contains("! -s ") }
        }
        var cluster = Cluster(TranslationSettings(nodeName: "node1", localTraffic: .nodeCIDR))
        cluster.set(.clusterIP("web", "10.96.0.10"))
        cluster.set(.of("web", [Endpoint(addresses: Endpoint.addresses(["10.244.0.1"]))]))
        cluster.translate()
        #expect(try notLocal(cluster, .ipv4).isEmpty)
        cluster.set(node([], podCIDRs: ["10.244.1.0/24", "fd00:244:1::/64", "10.245.0.0/16"]))
        cluster.translate()
        #expect(try notLocal(cluster, .ipv4).contains { $0.contains("! -s 10.244.1.0/24") })
        cluster.set(node([], podCIDRs: ["10.244.2.0/24", "nonsense"]))
        cluster.translate()
        #expect(try notLocal(cluster, .ipv4).contains { $0.contains("! -s 10.244.2.0/24") })
        cluster.set(nil)
        cluster.translate()
        #expect(try notLocal(cluster, .ipv4).contains { $0.contains("! -s 10.244.2.0/24") }, "a deleted Node changes nothing")
    }
}
