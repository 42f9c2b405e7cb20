import KubernetesAPI
import Testing

@testable import APIServerForTests

/// The answers of the test server over a live connection.
@Suite(.timeLimit(.minutes(10))) struct ServerRequestTests {
    private static let services = "/api/v1/namespaces/n/services"

    /// Sends requests in an encoding and returns the status code of each answer.
    private static func codes(
        _ contentType: ContentType, _ server: TestAPIServer, _ requests: [(APIRequest.Method, String, JSON?)]
    ) async throws -> [Int] {
        let client = APIClient(try server.access, settings: Follower.clientSettings(contentType), logger: Follower.quiet)
        var codes: [Int] = []
        for (method, path, json) in requests {
            let type = method == .patch ? "application/merge-patch+json" : "application/json"
            let body = json.map { APIRequest.Body($0.bytes, contentType: type) }
            codes.append(try await code(APIRequest(method, path, body: body), client))
        }
        await client.close()
        return codes
    }

    private static func code(_ request: APIRequest, _ client: APIClient) async throws -> Int {
        do {
            return try await client.send(request).code
        } catch APIError.status(let status) {
            return status.code
        }
    }

    @Test(arguments: ContentType.allCases) func `Objects are created, changed and deleted`(contentType: ContentType) async throws {
        try await TestAPIServer.serving { server in
            let web = "\(Self.services)/web"
            let object: JSON = ["metadata": ["name": "web"], "spec": ["clusterIP": "10.96.0.1", "ports": [["port": 80]]]]
            let codes = try await Self.codes(
                contentType, server,
                [
                    (.post, Self.services, object), (.post, Self.services, object), (.get, web, nil), (.put, web, object),
                    (.put, web, object.merging(["metadata": ["resourceVersion": "1"]])),
                    (.patch, web, ["metadata": ["labels": ["a": "b"]]]),
                    (.post, Self.services, ["metadata": ["name": "bad"], "spec": ["ports": [["port": "http"]]]]),
                    (.delete, web, nil), (.get, web, nil), (.delete, web, nil),
                ])
            #expect(codes == [201, 409, 200, 200, 409, 200, 400, 200, 404, 404])
        }
    }

    @Test func `Unknown paths and unsupported requests are refused`() async throws {
        try await TestAPIServer.serving { server in
            let codes = try await Self.codes(
                .json, server,
                [
                    (.get, "/api/v1/pods", nil), (.get, "/apis/discovery.k8s.io/v1/services", nil), (.get, "/nonsense", nil),
                    (.post, "/api/v1/services", ["metadata": ["name": "x"]]), (.delete, "/api/v1/nodes", nil),
                    (.get, "/api/v1/services?fieldSelector=spec.nonsense%3D1", nil), (.get, "/api/v1/services?resourceVersion=999999", nil),
                ])
            #expect(codes == [404, 404, 404, 405, 405, 400, 504])
        }
    }

    @Test func `A client certificate is required for the configured paths`() async throws {
        let folder = try TemporaryFolder()
        let certificates = try await TestCertificates(in: folder.path)
        try await certificates.sign("client", subject: "/CN=client")
        var settings = ServerSettings()
        settings.certifiedPaths = ["/api/v1/nodes"]
        for offersHTTP2 in [true, false] {
            try await TestAPIServer.serving(
                tls: certificates.server(clients: .optional, offersHTTP2: offersHTTP2), settings: settings
            ) { server in
                var access = try server.access
                access.certificateAuthority = .file("\(folder.path)/ca.crt")
                var outcomes: [Bool] = []
                for shows in [false, true] {
                    if shows {
                        access.clientCertificate = .file("\(folder.path)/client.crt")
                        access.clientKey = .file("\(folder.path)/client.key")
                    }
                    let client = APIClient(access, settings: Follower.clientSettings(), logger: Follower.quiet)
                    for path in ["/api/v1/services", "/api/v1/nodes"] {
                        do {
                            _ = try await client.send(APIRequest(.get, path))
                            outcomes.append(true)
                        } catch APIError.status(let status) where status.code == 401 {
                            outcomes.append(false)
                        }
                    }
                    await client.close()
                }
                #expect(outcomes == [true, false, true, true])
            }
        }
    }

    @Test func `A watch that falls behind is ended and resumed from its last version`() async throws {
        var settings = ServerSettings()
        settings.watchLimit = 5
        settings.bookmarkInterval = .milliseconds(20)
        try await TestAPIServer.serving(settings: settings) { server in
            try await Follower.following(try server.access, client: Follower.clientSettings(.protobuf)) { follower in
                try await expectEventually { follower.now().isSynced }
                for number in 0..<500 { server.put("services", .service("s\(number)", ip: "10.96.0.1")) }
                try await expectEventually { try server.isMirrored(by: follower) }
                #expect(server.requests("/services").count > 1)
            }
        }
    }
}
