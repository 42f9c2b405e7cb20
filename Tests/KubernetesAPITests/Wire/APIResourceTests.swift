import Kubernetes
import KubernetesAPI
import Testing

@Suite struct `A resource` {
    @Test func `has the API's path`() {
        #expect(Service.resource.listPath == "/api/v1/services")
        #expect(EndpointSlice.resource.listPath == "/apis/discovery.k8s.io/v1/endpointslices")
        #expect(Node.resource.listPath == "/api/v1/nodes")
        #expect(EndpointSlice.resource.apiVersion == "discovery.k8s.io/v1")
    }
}
