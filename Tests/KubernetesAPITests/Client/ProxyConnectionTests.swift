import Testing

@testable import APIServerForTests
@testable import KubernetesAPI

/// Connections to the API server through a proxy of the environment, over TLS.
@Suite(.timeLimit(.minutes(10))) struct ProxyConnectionTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Returns the access of a kubeconfig for a server, with a proxy in the environment.
    private func access(_ server: String, more: String = "", proxy: String) throws -> APIAccess {
        let text = """
            {current-context: c, contexts: [{name: c, context: {cluster: k}}],
             clusters: [{name: k, cluster: {server: '\(server)', certificate-authority: ca.crt\(more)}}]}
            """
        return try APIAccess.find(
            kubeconfig: try folder.write(text, to: "config"), master: nil,
            environment: ["HTTPS_PROXY": proxy, "NO_PROXY": "10.0.0.0/8,b.test"])
    }

    private func outcome(_ access: APIAccess) async -> APIError? {
        let client = APIClient(access, settings: Follower.clientSettings(), logger: Follower.quiet)
        var outcome: APIError?
        do {
            _ = try await client.send(APIRequest(.get, "/api/v1/services"))
        } catch {
            outcome = error
        }
        await client.close()
        return outcome
    }

    @Test(arguments: [false, true])
    func `Requests use a tunnel to the server's name or address, which its certificate must match`(offersHTTP2: Bool)
        async throws
    {
        // These addresses and names are reachable only through the proxy.
        let certificates = try await TestCertificates(in: folder.path, for: ["IP:192.0.2.10", "IP:2001:db8::10"])
        try await TestAPIServer.serving(tls: try certificates.server(offersHTTP2: offersHTTP2)) { server in
            let port = try #require(ServerAddress(server.url)?.port)
            try await TestProxy.serving(to: port) { proxy in
                let url = "http://me:secret@127.0.0.1:\(proxy.port)"
                // The certificate is also for 127.0.0.1, the proxy's address, but the client requests another name.
                let all = "127.0.0.1, api.test, 192.0.2.10, 2001:db8::10"
                for (server, name, expected) in [
                    ("https://192.0.2.10:6443", "", "answered"), ("https://[2001:db8::10]:6443", "", "answered"),
                    ("https://api.test:6443", "", "answered"), ("https://192.0.2.99:6443", "api.test", "answered"),
                    ("https://elsewhere.test", "192.0.2.10", "answered"),
                    ("https://192.0.2.11:6443", "", "the server's certificate is for \(all), not for 192.0.2.11"),
                    ("https://192.0.2.10:6443", "other.test", "the server's certificate is for \(all), not for other.test"),
                ] {
                    let access = try access(server, more: name.isEmpty ? "" : ", tls-server-name: '\(name)'", proxy: url)
                    let outcome = await outcome(access)?.description ?? "answered"
                    #expect(outcome == expected)
                }
                #expect(server.requests("services").count == 5)
                let lines = proxy.heads.map { String($0.prefix { $0 != "\r\n" }) }
                #expect(
                    lines == [
                        "CONNECT 192.0.2.10:6443 HTTP/1.1", "CONNECT [2001:db8::10]:6443 HTTP/1.1", "CONNECT api.test:6443 HTTP/1.1",
                        "CONNECT 192.0.2.99:6443 HTTP/1.1", "CONNECT elsewhere.test:443 HTTP/1.1", "CONNECT 192.0.2.11:6443 HTTP/1.1",
                        "CONNECT 192.0.2.10:6443 HTTP/1.1",
                    ])
                #expect(proxy.heads.allSatisfy { $0.contains("proxy-authorization: Basic bWU6c2VjcmV0\r\n") })
            }
        }
    }

    @Test func `Servers in NO_PROXY and on this machine are not reached through the proxy`() throws {
        for server in ["https://10.1.2.3", "https://b.test:6443", "https://localhost", "https://127.0.0.1:6443"] {
            try folder.write("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n", to: "ca.crt")
            #expect(try access(server, proxy: "http://proxy").proxy == nil, "\(server)")
        }
    }

    @Test(
        arguments: [("https://127.0.0.1", nil), ("https://127.0.0.1", "api.test"), ("https://127.0.0.1", "192.0.2.10")]
            as [(String, String?)])
    func `Only the name in tls-server-name is accepted, even without a proxy`(url: String, name: String?) async throws {
        let certificates = try await TestCertificates(in: folder.path, for: ["IP:192.0.2.10"])
        for offersHTTP2 in [false, true] {
            try await TestAPIServer.serving(tls: try certificates.server(offersHTTP2: offersHTTP2)) { server in
                var access = try server.access
                access.certificateAuthority = .file("\(self.folder.path)/ca.crt")
                access.tlsServerName = name
                #expect(await self.outcome(access) == nil)
                for other in ["other.test", "192.0.2.11"] {
                    access.tlsServerName = other
                    // It is not enough that the certificate is for the address of the connection.
                    #expect(await self.outcome(access)?.description.hasSuffix("not for \(other)") == true)
                }
                #expect(server.requests("services").count == 1)
            }
        }
    }
}
