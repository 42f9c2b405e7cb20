import Kubernetes
import Model
import Testing

@testable import Translation

@Suite struct `The reason for a Service without real servers` {
    private func reasonForNoRealServers(
        _ endpoints: [Endpoint], port: String? = "http", type: AddressType = .ipv4, selector: [String: String] = ["app": "web"],
        policy: TrafficPolicy = .cluster, hasSlice: Bool = true
    ) throws -> String {
        let service = Service(
            metadata: ObjectMeta(name: "web", namespace: "default"), clusterIP: "10.96.0.10", selector: selector,
            internalTrafficPolicy: policy)
        let slice = EndpointSlice(
            metadata: ObjectMeta(name: "web-1", namespace: "default"), addressType: type, endpoints: endpoints,
            ports: port.map { [EndpointPort(name: $0, port: 8080)] } ?? [])
        let origin = ServiceOrigin(service: service.metadata.namespacedName, portName: "http", kind: .clusterIP)
        let server = VirtualServer(.init(.tcp, AddressPort(try #require(IPAddress("10.96.0.10")), 80)))
        return NoRealServers(server, of: origin, service, hasSlice ? [slice] : [], nodeName: "node1").description
    }

    @Test func `names what is missing`() throws {
        let ready = Endpoint(addresses: Endpoint.addresses(["10.244.2.1"]), ready: true, nodeName: "node2")
        let unready = Endpoint(addresses: Endpoint.addresses(["10.244.1.1"]), ready: false, nodeName: "node1")
        #expect(
            try reasonForNoRealServers([], hasSlice: false) == "the Service has no EndpointSlice: its selector has never matched a pod")
        #expect(
            try reasonForNoRealServers([], selector: [:], hasSlice: false) == "the Service has no selector and no EndpointSlice")
        #expect(try reasonForNoRealServers([]) == "no pod matches the Service's selector")
        #expect(try reasonForNoRealServers([ready], type: .ipv6) == "the Service has no IPv4 EndpointSlice")
        #expect(try reasonForNoRealServers([ready], port: "https") == "no endpoint has a TCP port http")
        #expect(try reasonForNoRealServers([ready], port: nil) == "no endpoint has a TCP port http")
        #expect(try reasonForNoRealServers([unready]) == "its only endpoint is not ready")
        #expect(try reasonForNoRealServers([unready, unready]) == "none of its 2 endpoints is ready")
        #expect(
            try reasonForNoRealServers([ready], policy: .local)
                == "internalTrafficPolicy is Local, and its only ready endpoint is on another node")
    }
}
