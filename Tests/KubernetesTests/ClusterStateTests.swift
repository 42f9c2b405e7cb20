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
    var slices: [NamespacedName: [NamespacedName: EndpointSlice]] { state.slices }

    @discardableResult
    func apply(_ change: ClusterChange) -> Bool { state.apply(change) }
    func popDirtyServices() -> Set<NamespacedName> { state.popDirtyServices() }
}
