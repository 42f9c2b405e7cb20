import Model
import Testing

@testable import Kubernetes

@Suite struct ClusterStateTests {
    let web = NamespacedName(namespace: "shop", name: "web")
    let api = NamespacedName(namespace: "shop", name: "api")
    let slice = NamespacedName(namespace: "shop", name: "slice")

    func service(_ name: String, port: UInt16 = 80) -> Service {
        Service(metadata: ObjectMeta(name: name, namespace: "shop"), ports: [ServicePort(port: port)])
    }

    func slice(of service: String?, address: String = "10.0.0.1") -> EndpointSlice {
        let labels: Labels = service.map { [EndpointSlice.serviceNameLabel: $0] } ?? [:]
        return EndpointSlice(
            metadata: ObjectMeta(name: "slice", namespace: "shop", labels: labels), addressType: .ipv4,
            endpoints: [Endpoint(addresses: Endpoint.addresses([address]))])
    }

    /// The address of the string's bytes on the heap.
    private func storage(_ string: String?) -> UnsafePointer<UInt8>? {
        string?.utf8.withContiguousStorageIfAvailable { $0.baseAddress } ?? nil
    }

    @Test func `Slices share the names of nodes, and keep the strings of unchanged endpoints`() throws {
        /// Each call creates its own strings, as decoding does.
        func slice(_ name: String, pods: [String]) -> EndpointSlice {
            EndpointSlice(
                metadata: ObjectMeta(name: name, namespace: "shop", labels: [EndpointSlice.serviceNameLabel: "web"]), addressType: .ipv4,
                endpoints: pods.enumerated().map { index, pod in
                    Endpoint(
                        addresses: [IPAddress(v4: UInt32(index))], nodeName: ["node-1", "example", "internal"].joined(separator: "."),
                        pod: ["a-deployment-5d4f8c7b9", pod].joined(separator: "-"))
                })
        }
        let state = Cluster()
        let names = ["first", "second"].map { NamespacedName(namespace: "shop", name: $0) }
        for name in names { state.apply(.endpointSlice(name, slice(name.name, pods: ["x", "y"]))) }
        let before = try #require(state.slices[web]?[names[0]]).endpoints
        #expect(storage(before[0].nodeName) != nil)
        let all = names.flatMap { state.slices[web]?[$0]?.endpoints ?? [] }
        #expect(Set(all.map { storage($0.nodeName) }).count == 1 && Set(all.map { storage($0.pod) }).count == 4)
        state.apply(.endpointSlice(names[0], slice("first", pods: ["x", "z"])))
        let after = try #require(state.slices[web]?[names[0]]).endpoints
        #expect(after.map(\.pod) == ["a-deployment-5d4f8c7b9-x", "a-deployment-5d4f8c7b9-z"])
        #expect(storage(after[0].pod) == storage(before[0].pod) && storage(after[1].nodeName) == storage(before[0].nodeName))
    }

    @Test func `A change marks its Service as dirty, the same change again does not`() {
        let state = Cluster()
        #expect(state.apply(.service(web, service("web"))))
        #expect(state.popDirtyServices() == [web])
        #expect(!state.apply(.service(web, service("web"))))
        #expect(state.popDirtyServices().isEmpty)
        #expect(state.apply(.service(web, nil)))
        #expect(!state.apply(.service(web, nil)))
        #expect(state.popDirtyServices() == [web])
        #expect(state.services.isEmpty)
    }

    @Test func `A slice marks its Service as dirty even if the Service does not exist`() {
        let state = Cluster()
        #expect(state.apply(.endpointSlice(slice, slice(of: "web"))))
        #expect(!state.apply(.endpointSlice(slice, slice(of: "web"))))
        #expect(state.popDirtyServices() == [web])
        #expect(state.slices[web]?[slice] == slice(of: "web"))
    }

    @Test func `A slice that moves to another Service marks both as dirty`() {
        let state = Cluster()
        state.apply(.endpointSlice(slice, slice(of: "web")))
        _ = state.popDirtyServices()
        #expect(state.apply(.endpointSlice(slice, slice(of: "api"))))
        #expect(state.popDirtyServices() == [web, api])
        #expect(state.slices[web] == nil)
        #expect(state.slices[api]?.count == 1)
    }

    @Test func `A slice that loses its label is removed from its Service`() {
        let state = Cluster()
        #expect(!state.apply(.endpointSlice(slice, slice(of: nil))))
        state.apply(.endpointSlice(slice, slice(of: "web")))
        _ = state.popDirtyServices()
        #expect(state.apply(.endpointSlice(slice, slice(of: nil))))
        #expect(state.popDirtyServices() == [web])
        #expect(state.slices.isEmpty)
        #expect(!state.apply(.endpointSlice(slice, nil)))
    }

    @Test func `A Node change marks no Service as dirty`() {
        let state = Cluster()
        let node = Node(metadata: ObjectMeta(name: "n1"))
        #expect(state.apply(.node("n1", node)))
        #expect(!state.apply(.node("n1", node)))
        #expect(state.popDirtyServices().isEmpty)
        #expect(state.apply(.node("n1", nil)))
    }
}

/// A reference to a state: the macros of Swift Testing cannot call mutating methods.
private final class Cluster {
    private var state = ClusterState()

    var services: [NamespacedName: Service] { state.services }
    var slices: [NamespacedName: ServiceSlices] { state.slices }

    @discardableResult
    func apply(_ change: ClusterChange) -> Bool { state.apply(change) }
    func popDirtyServices() -> Set<NamespacedName> { state.popDirtyServices() }
}
