import KubernetesAPI
import Testing

struct APIRequestTests {
    @Test func `Query parameters are percent-encoded`() {
        let request = APIRequest(
            .get, "/api/v1/services",
            query: [.init("labelSelector", "!service.kubernetes.io/service-proxy-name"), .init("fieldSelector", "spec.clusterIP!=None")])
        #expect(
            request.target
                == "/api/v1/services?labelSelector=%21service.kubernetes.io%2Fservice-proxy-name&fieldSelector=spec.clusterIP%21%3DNone")
    }

    @Test(arguments: [
        ("https://k", "https://k:443"), ("http://10.0.0.1", "http://10.0.0.1:80"), ("HTTPS://K:6443/a/b/", "https://K:6443/a/b"),
        ("k:6443", "https://k:6443"), ("https://[::1]:6443", "https://[::1]:6443"),
    ])
    func `Server addresses are parsed`(text: String, address: String) {
        #expect(ServerAddress(text)?.description == address)
    }

    @Test(arguments: ["", "https://", "ftp://k", "https://k:0", "https://k:70000", "https://me@k", "https://k?x=1", "https://k/#x", "a b"])
    func `Invalid server addresses are refused`(text: String) {
        #expect(ServerAddress(text) == nil)
    }

    @Test func `Protobuf is preferred and JSON is accepted`() {
        #expect(APIClientSettings(version: "1").accept == "application/vnd.kubernetes.protobuf,application/json")
        #expect(APIClientSettings(contentType: .json, version: "1").accept == "application/json")
        #expect(APIClientSettings(acceptContentTypes: "x/y", version: "1").accept == "x/y")
        #expect(APIClientSettings(version: "1.2").userAgent == "kube-ipvs-proxy/1.2")
    }
}
