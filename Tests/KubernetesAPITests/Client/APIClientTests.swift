import KubernetesAPI
import Synchronization
import Testing

@testable import APIServerForTests

/// The client against a server in this process, over TCP and TLS.
@Suite(.timeLimit(.minutes(10))) struct APIClientTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private static let list = APIRequest(.get, "/api/v1/services", query: [.init("fieldSelector", "spec.clusterIP!=None")])

    private func client(_ access: APIAccess) -> APIClient {
        APIClient(access, settings: Follower.clientSettings(), logger: Follower.quiet)
    }

    /// Returns the error of a request over `access`; nil for success.
    private func outcome(_ access: APIAccess) async -> APIError? {
        let client = client(access)
        var outcome: APIError?
        do {
            _ = try await client.send(APIClientTests.list)
        } catch {
            outcome = error
        }
        await client.close()
        return outcome
    }

    @Test func `An error status has code, reason and Retry-After`() async throws {
        try await TestAPIServer.serving { server in
            server.fail(.list("services"), .status(429, reason: "TooManyRequests", retryAfter: 7))
            let access = try server.access
            #expect(
                await self.outcome(access)
                    == .status(APIStatus(code: 429, reason: "TooManyRequests", message: "injected", retryAfterSeconds: 7)))
        }
    }

    /// Keeps answers as lines such as `GET 200`.
    private final class Answers: APIClientObserver {
        private let lines = Mutex<[String]>([])
        var all: [String] { lines.withLock(\.self) }

        func answered(_ method: APIRequest.Method, code: Int?) {
            lines.withLock { $0.append("\(method.rawValue) \(code.map { "\($0)" } ?? "nothing")") }
        }

        func finished(_ method: APIRequest.Method, after duration: Duration) {
            lines.withLock { $0.append("\(method.rawValue) finished\(duration > .zero ? "" : " before it began")") }
        }
    }

    @Test func `Requests are reported with their results`() async throws {
        let answers = Answers()
        try await TestAPIServer.serving { server in
            let client = APIClient(
                try server.access, settings: Follower.clientSettings(), observer: answers, logger: Follower.quiet)
            _ = try await client.send(APIClientTests.list)
            server.fail(.list("services"), .status(503, reason: "ServiceUnavailable"))
            await #expect(throws: APIError.self) { try await client.send(APIClientTests.list) }
            await client.close()
        }
        #expect(answers.all == ["GET 200", "GET finished", "GET 503", "GET finished"])
        let nowhere = ServerAddress(isSecure: false, host: "127.0.0.1", port: 1)
        let client = APIClient(APIAccess(server: nowhere), settings: Follower.clientSettings(), observer: answers, logger: Follower.quiet)
        await #expect(throws: APIError.self) { try await client.send(APIClientTests.list) }
        await client.close()
        #expect(answers.all.dropFirst(4) == ["GET nothing", "GET finished"])
    }

    @Test func `Events are posted`() async throws {
        try await TestAPIServer.serving { server in
            let client = self.client(try server.access)
            let request = APIRequest(
                .post, "/apis/events.k8s.io/v1/namespaces/default/events",
                body: .init(Array("{\"metadata\":{\"generateName\":\"proxy-\"}}".utf8), contentType: "application/json"))
            let code = try await client.send(request).code
            await client.close()
            #expect(code == 201)
        }
    }

    @Test func `A refused token is read again, and the request is repeated once`() async throws {
        let file = try folder.write("old", to: "token")
        try await TestAPIServer.serving { server in
            server.withState { $0.token = "old" }
            var access = try server.access
            access.authentication = .tokenFile(file)
            let client = APIClient(
                access, settings: APIClientSettings(contentType: .json, qps: -1, version: "test"), logger: Follower.quiet)
            _ = try await client.send(APIClientTests.list)
            server.withState { $0.token = "new" }
            try TemporaryFolder.write("new", to: file)
            _ = try await client.send(APIClientTests.list)
            #expect(server.requests("services").count == 3)
            server.withState { $0.token = "another" }
            let error = await #expect(throws: APIError.self) { try await client.send(APIClientTests.list) }
            guard case .status(let status)? = error else {
                Issue.record("not a status")
                return
            }
            #expect(status.code == 401)
            await client.close()
        }
    }

    @Test func `A server is trusted only if the authority signed its certificate for its name`() async throws {
        let certificates = try await TestCertificates(in: folder.path)
        try await TestAPIServer.serving(tls: try certificates.server()) { server in
            var access = try server.access
            // The system's authorities did not sign it.
            #expect(await self.outcome(access) != nil)
            access.skipsVerification = true
            #expect(await self.outcome(access) == nil)
            access.skipsVerification = false
            access.certificateAuthority = .file("\(folder.path)/ca.crt")
            #expect(await self.outcome(access) == nil)
        }
    }

    @Test func `A certificate is checked for the name in tls-server-name`() async throws {
        let certificates = try await TestCertificates(in: folder.path)
        try await certificates.sign("server", subject: "/CN=server", extensions: "subjectAltName=DNS:api.test")
        try await TestAPIServer.serving(tls: try certificates.server()) { server in
            var access = try server.access
            access.certificateAuthority = .file("\(folder.path)/ca.crt")
            #expect(await self.outcome(access) != nil)
            access.tlsServerName = "api.test"
            #expect(await self.outcome(access) == nil)
            access.tlsServerName = "other.test"
            #expect(await self.outcome(access) != nil)
        }
    }

    @Test func `An unusable certificate is reported with its file before anything is sent`() async throws {
        let file = try folder.write("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n", to: "ca.crt")
        let client = client(APIAccess(server: ServerAddress(isSecure: true, host: "k", port: 1), certificateAuthority: .file(file)))
        let error = await #expect(throws: AccessError.self) { try await client.prepare() }
        await client.close()
        #expect(error?.description.hasPrefix("file \(file): certificate-authority: contains no PEM certificate") == true)
    }

    @Test func `A client certificate is presented, and a new one opens a new connection without losing changes`() async throws {
        let certificates = try await TestCertificates(in: folder.path)
        try await certificates.sign("client", subject: "/CN=one")
        try await TestAPIServer.serving(tls: try certificates.server(clients: .required)) { server in
            var access = try server.access
            access.certificateAuthority = .file("\(folder.path)/ca.crt")
            #expect(await self.outcome(access) != nil)
            access.clientCertificate = .file("\(folder.path)/client.crt")
            access.clientKey = .file("\(folder.path)/client.key")
            server.put("services", .service("a"))
            server.put("endpointslices", .slice("a-1", of: "a", addresses: ["10.244.0.1"]))
            try await Follower.following(access) { follower in
                try await expectEventually { try server.isMirrored(by: follower) }
                let before = server.withState { $0.connections }
                // While only the key has been replaced, the previous pair stays in use.
                try await certificates.sign("client", subject: "/CN=two")
                // Files are checked before each request: the end of one watch is enough to renew all connections.
                try await expectEventually {
                    server.interrupt("nodes", .end)
                    return server.withState { $0.connections } > before
                }
                server.put("services", .service("b", ip: "10.96.0.11"))
                try await expectEventually { try server.isMirrored(by: follower) }
            }
        }
    }

    @Test func `A certificate with a key that does not match is reported before anything is sent`() async throws {
        let certificates = try await TestCertificates(in: folder.path)
        try await certificates.sign("client", subject: "/CN=one")
        let client = client(
            APIAccess(
                server: ServerAddress(isSecure: true, host: "k", port: 1), clientCertificate: .file("\(folder.path)/client.crt"),
                clientKey: .file("\(folder.path)/server.key")))
        let error = await #expect(throws: AccessError.self) { try await client.prepare() }
        await client.close()
        #expect(error?.description.hasPrefix("file \(folder.path)/client.crt: client-certificate: cannot be used with its key") == true)
    }

    @Test func `Over HTTP/2 all watches share a connection, which is replaced if it becomes silent`() async throws {
        let certificates = try await TestCertificates(in: folder.path)
        // Bookmarks keep a connection active even on a slow machine.
        var settings = ServerSettings()
        settings.bookmarkInterval = .milliseconds(100)
        try await TestAPIServer.serving(tls: try certificates.server(offersHTTP2: true), settings: settings) { server in
            var access = try server.access
            access.certificateAuthority = .file("\(folder.path)/ca.crt")
            server.put("services", .service("a"))
            server.put("endpointslices", .slice("a-1", of: "a", addresses: ["10.244.0.1"]))
            try await Follower.following(access, client: Follower.clientSettings(readTimeout: .seconds(4))) { follower in
                try await expectEventually { try server.isMirrored(by: follower) && server.watcherCount("nodes") == 1 }
                let before = server.withState { $0.connections }
                server.interrupt("services", .cut)
                server.put("services", .service("b", ip: "10.96.0.11"))
                try await expectEventually { try server.isMirrored(by: follower) }
                #expect(server.withState { $0.connections } == before)
                for plural in ["services", "endpointslices", "nodes"] { server.interrupt(plural, .hang) }
                server.put("services", .service("c", ip: "10.96.0.12"))
                server.put("endpointslices", .slice("c-1", of: "c", addresses: ["10.244.0.3"]))
                try await expectEventually { try server.isMirrored(by: follower) }
                #expect(server.withState { $0.connections } > before)
            }
        }
    }
}
