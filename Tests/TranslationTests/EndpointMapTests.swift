import Kubernetes
import Model
import Testing
import Translation

private func servers(_ slices: EndpointSlice...) -> [String] {
    let service = Service.clusterIP("web", "10.96.0.10").with {
        $0.ports = [ServicePort(name: "p", port: 80), ServicePort(name: "q", port: 81)]
    }
    return Cluster([service], slices).servers
}

private let p = "10.96.0.10:80/TCP"
private let q = "10.96.0.10:81/TCP"

@Suite struct `The slices of a Service` {
    @Test func `serve each port by name`() {
        var slice = EndpointSlice.of("web", [.at("10.0.0.1"), .at("10.0.0.2")])
        slice.ports.append(EndpointPort(name: "q", port: 9090))
        #expect(servers(slice) == ["\(p) [10.0.0.1:8080 10.0.0.2:8080]", "\(q) [10.0.0.1:9090 10.0.0.2:9090]"])
    }

    @Test func `are merged, with one real server for each address and port`() {
        #expect(
            servers(
                .of("web", [.at("10.0.0.1"), .at("10.0.0.2")], name: "a"), .of("web", [.at("10.0.0.2"), .at("10.0.0.3")], name: "b"),
                .of("web", [.at("10.0.0.1")], name: "c", port: 8081))
                == ["\(p) [10.0.0.1:8080 10.0.0.1:8081 10.0.0.2:8080 10.0.0.3:8080]", "\(q) []"])
    }

    @Test(arguments: [("a", "b"), ("b", "a")]) func `use the ready copy of an endpoint, in any order`(first: String, second: String) {
        #expect(
            servers(
                .of("web", [.at("10.0.0.1", ready: false), .terminating("10.0.0.2", serving: true)], name: first),
                .of("web", [.at("10.0.0.1"), .at("10.0.0.2")], name: second)) == ["\(p) [10.0.0.1:8080 10.0.0.2:8080]", "\(q) []"])
    }

    @Test func `of other Services and namespaces are ignored`() {
        var foreign = EndpointSlice.of("web", [.at("10.0.0.9")], name: "z")
        foreign.metadata.namespace = "other"
        #expect(servers(.of("other", [.at("10.0.0.8")]), foreign) == ["\(p) []", "\(q) []"])
    }

    @Test func `without a port number or address, or with FQDN addresses, serve nothing`() {
        #expect(
            servers(
                .of("web", [.at("10.0.0.1")], name: "a", port: nil), .of("web", [.at("10.0.0.1")], name: "b", port: 0),
                .of("web", [Endpoint(addresses: [])], name: "c"), .of("web", [.at("10.0.0.2")], name: "d", type: .fqdn))
                == ["\(p) []", "\(q) []"])
    }

    @Test(arguments: [nil, ""]) func `with an empty or absent port name serve the unnamed port`(name: String?) {
        var service = Service.clusterIP("web", "10.96.0.10")
        service.ports = [ServicePort(port: 80)]
        var cluster = Cluster([service], [.of("web", [.at("10.0.0.1")], portName: name)])
        cluster.translate()
        #expect(cluster.endpoints("10.96.0.10:80/TCP") == ["10.0.0.1"])
    }

    @Test func `change what is served when added, changed or removed, and nothing if equal`() {
        let service = Service.clusterIP("web", "10.96.0.10")
        var cluster = Cluster([service], [.of("web", [.at("10.0.0.1"), .at("10.0.0.2")])])
        func after(_ slice: EndpointSlice) -> [String]? {
            cluster.set(slice)
            return cluster.translate() == .nothing ? nil : cluster.endpoints("10.96.0.10:80/TCP")
        }
        #expect(after(.of("web", [.at("10.0.0.1"), .at("10.0.0.2")])) == nil)
        #expect(after(.of("web", [.at("10.0.0.2"), .at("10.0.0.1")])) == nil, "the order does not matter")
        #expect(after(.of("web", [.at("10.0.0.1"), .at("10.0.0.2", ready: false)])) == ["10.0.0.1"])
        #expect(after(.of("web", [.at("10.0.0.3")], name: "b")) == ["10.0.0.1", "10.0.0.3"])
        #expect(after(.of("web", [.at("10.0.0.1")], port: 9090)) == ["10.0.0.1", "10.0.0.3"])
        #expect(after(.of("web", [.at("10.0.0.1")], portName: "other")) == ["10.0.0.3"])
        cluster.removeSlice("web-b")
        cluster.translate()
        #expect(cluster.endpoints("10.96.0.10:80/TCP") == [])
        cluster.removeSlice("never-seen")
        #expect(cluster.translate() == .nothing)
    }

    @Test func `of a deleted Service leave nothing behind`() {
        var cluster = Cluster([.clusterIP("web", "10.96.0.10")], [.of("web", [.at("10.0.0.1", node: "node1")])])
        cluster.remove("web")
        cluster.translate()
        #expect(cluster.translation.desired == Translation.catalogue(cluster.translation.settings))
    }

    @Test func `give the pod and node of each real server`() {
        var endpoint = Endpoint.at("10.0.0.1", node: "node2")
        endpoint.pod = "web-0"
        let cluster = Cluster([.clusterIP("web", "10.96.0.10")], [.of("web", [endpoint])])
        let found = cluster.translation.desired.virtualServers.values.flatMap(\.realServers)
        #expect(found.map(\.origin) == [EndpointOrigin(pod: "web-0", node: "node2")])
        #expect(found.map(\.weight) == [1])
    }
}
