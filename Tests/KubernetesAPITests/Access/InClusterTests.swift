import KubernetesAPI
import Testing

struct InClusterTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try folder.write("token", to: "token")
        try folder.write("-----BEGIN CERTIFICATE-----", to: "ca.crt")
    }

    private func access(_ host: String?, _ port: String?) throws -> APIAccess {
        var environment: [String: String] = [:]
        environment["KUBERNETES_SERVICE_HOST"] = host
        environment["KUBERNETES_SERVICE_PORT"] = port
        return try InCluster.access(environment: environment, serviceAccount: folder.path)
    }

    @Test(arguments: [("10.96.0.1", "https://10.96.0.1:443"), ("fd00::1", "https://[fd00::1]:443"), ("k", "https://k:443")])
    func `Address, token and certificate authority come from the pod`(host: String, url: String) throws {
        let access = try access(host, "443")
        #expect(access.server.description == url)
        #expect(access.authentication == .tokenFile("\(folder.path)/token"))
        #expect(access.certificateAuthority == .file("\(folder.path)/ca.crt"))
        #expect(!access.skipsVerification)
    }

    @Test func `The error outside of a pod names the flags to set`() {
        let error = #expect(throws: AccessError.self) { try access(nil, "443") }
        #expect(
            error?.description
                == "environment: KUBERNETES_SERVICE_HOST: is not set: outside of a pod, set --kubeconfig, --master or --manifests"
        )
        #expect(throws: AccessError.self) { try access("10.96.0.1", "65536") }
        #expect(throws: AccessError.self) {
            try InCluster.access(environment: ["KUBERNETES_SERVICE_HOST": "k", "KUBERNETES_SERVICE_PORT": "1"], serviceAccount: "/absent")
        }
    }
}
