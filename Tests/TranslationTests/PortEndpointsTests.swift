import Kubernetes
import Model
import Testing
import Translation

/// Ports that share their endpoints, and ports that do not.
@Suite struct `The ports of a Service` {
    private func cluster() -> Cluster {
        var service = Service.clusterIP("web", "10.96.0.10")
        service.ports = ["p", "q", "r"].enumerated().map { ServicePort(name: $1, port: UInt16(80 + $0)) }
        service.externalIPs = ["192.0.2.1"]
        var a = EndpointSlice.of("web", [.at("10.244.0.1", node: "node1"), .at("10.244.0.2", ready: false)], name: "a")
        var b = EndpointSlice.of("web", [.at("10.244.0.2"), .at("10.244.0.3")], name: "b")
        // r is like p except for its number; q has another number in each slice.
        a.ports += [EndpointPort(name: "q", port: 9090), EndpointPort(name: "r", port: 7070)]
        b.ports += [EndpointPort(name: "q", port: 9091), EndpointPort(name: "r", port: 7070)]
        return Cluster([service], [a, b])
    }

    @Test func `have the port numbers of each slice, on all addresses`() {
        let p = "[10.244.0.1:8080 10.244.0.2:8080 10.244.0.3:8080]"
        let q = "[10.244.0.1:9090 10.244.0.2:9091 10.244.0.3:9091]"
        let r = "[10.244.0.1:7070 10.244.0.2:7070 10.244.0.3:7070]"
        #expect(
            cluster().servers == [
                "10.96.0.10:80/TCP \(p)", "10.96.0.10:81/TCP \(q)", "10.96.0.10:82/TCP \(r)", "192.0.2.1:80/TCP \(p)",
                "192.0.2.1:81/TCP \(q)", "192.0.2.1:82/TCP \(r)",
            ])
    }

    @Test func `each have their own hairpin members`() {
        #expect(
            cluster().members(.loopBack) == [
                "10.244.0.1,tcp:7070,10.244.0.1", "10.244.0.1,tcp:8080,10.244.0.1", "10.244.0.1,tcp:9090,10.244.0.1",
            ])
    }

    @Test func `change with an endpoint on all addresses, and with nothing else`() throws {
        var cluster = cluster()
        let slice = try #require(cluster.state.slice(NamespacedName(namespace: "default", name: "web-b")))
        var fewer = slice
        fewer.endpoints.removeLast()
        cluster.set(fewer)
        #expect(try #require(cluster.translate().selection).virtualServers.count == 6)
        #expect(!cluster.servers.contains { $0.contains("10.244.0.3") })
        cluster.set(slice)
        cluster.translate()
        #expect(cluster.servers == self.cluster().servers)
        var service = try #require(cluster.state.services.values.first)
        service.metadata.labels["app"] = "web"
        cluster.set(service)
        #expect(cluster.translate() == .nothing)
    }
}
