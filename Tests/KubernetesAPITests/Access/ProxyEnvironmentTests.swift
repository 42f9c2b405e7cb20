import Testing

@testable import KubernetesAPI

/// The rules of golang.org/x/net/http/httpproxy, with the cases of its tests and more.
struct ProxyEnvironmentTests {
    private func proxy(_ environment: [String: String], _ url: String) throws -> String? {
        try ProxyEnvironment(environment).proxy(for: try #require(ServerAddress(url)))?.description
    }

    @Test(
        arguments: [
            (["HTTP_PROXY": "127.0.0.1:8080"], "http://example.com", "http://127.0.0.1:8080"),
            (["HTTP_PROXY": "cache.corp.example.com:1234"], "http://example.com", "http://cache.corp.example.com:1234"),
            (["HTTP_PROXY": "cache.corp.example.com"], "http://example.com", "http://cache.corp.example.com:80"),
            (["HTTP_PROXY": "localhost"], "http://example.com", "http://localhost:80"),
            (["HTTP_PROXY": "http://127.0.0.1:8080"], "http://example.com", "http://127.0.0.1:8080"),
            (["HTTP_PROXY": "socks5://127.0.0.1"], "http://example.com", "socks5://127.0.0.1:1080"),
            (["HTTPS_PROXY": "socks5h://proxy:9"], "https://example.com", "socks5://proxy:9"),
            (["HTTPS_PROXY": "HTTP://[fd00::1]:3128/"], "https://example.com", "http://[fd00::1]:3128"),
            (["HTTP_PROXY": "http.proxy.tld", "HTTPS_PROXY": "secure.proxy.tld"], "http://insecure.tld/", "http://http.proxy.tld:80"),
            (["HTTP_PROXY": "http.proxy.tld", "HTTPS_PROXY": "secure.proxy.tld"], "https://secure.tld/", "http://secure.proxy.tld:80"),
            (["HTTP_PROXY": "http.proxy.tld"], "https://secure.tld/", nil),
            (["HTTPS_PROXY": "http.proxy.tld"], "http://insecure.tld/", nil),
            (["HTTPS_PROXY": "secure.proxy.tld", "REQUEST_METHOD": "PUT"], "https://secure.tld/", "http://secure.proxy.tld:80"),
            ([:], "https://example.com", nil),
            // The lowercase variable applies if the uppercase one is unset or empty.
            (["https_proxy": "lower"], "https://example.com", "http://lower:80"),
            (["https_proxy": "lower", "HTTPS_PROXY": "upper"], "https://example.com", "http://upper:80"),
            (["https_proxy": "lower", "HTTPS_PROXY": ""], "https://example.com", "http://lower:80"),
            (["https_proxy": "lower", "no_proxy": "example.com"], "https://example.com", nil),
            (["https_proxy": "lower", "NO_PROXY": "other.com", "no_proxy": "example.com"], "https://example.com", "http://lower:80"),
            // An invalid proxy that is not used is not an error.
            (["HTTPS_PROXY": "ftp://nonsense", "NO_PROXY": "example.com"], "https://example.com", nil),
            (["HTTP_PROXY": "ftp://nonsense"], "https://example.com", nil),
        ] as [([String: String], String, String?)])
    func `The proxy depends on the scheme of the URL`(environment: [String: String], url: String, expected: String?) throws {
        #expect(try proxy(environment, url) == expected)
    }

    private static let exceptions =
        "foobar.com, .barbaz.net, *.wildcard.io, 192.168.1.1, 192.168.1.2:81, 192.168.1.3:80, 10.0.0.0/30, 2001:db8::52:0:1, "
        + "[2001:db8::52:0:2]:443, [2001:db8::52:0:3]:80, 2002:db8:a::45/64"

    @Test(arguments: [
        ("localhost", false), ("127.0.0.1", false), ("127.0.0.2", false), ("[::1]", false), ("[::2]", true),
        ("[::ffff:127.0.0.1]", false),
        ("192.168.1.1", false), ("192.168.1.2", true), ("192.168.1.3", false), ("192.168.1.4", true), ("10.0.0.2", false),
        ("[2001:db8::52:0:1]", false), ("[2001:db8::52:0:2]", true), ("[2001:db8::52:0:3]", false), ("[2002:db8:a::123]", false),
        ("[fe80::424b:c8be:1643:a1b6]", true), ("[::ffff:192.168.1.1]", false),
        ("barbaz.net", true), ("www.barbaz.net", false), ("foobar.com", false), ("www.foobar.com", false), ("foofoobar.com", true),
        ("baz.com", true), ("localhost.net", true), ("local.localhost", true), ("barbarbaz.net", true), ("wildcard.io", true),
        ("nested.wildcard.io", false), ("awildcard.io", true), ("WWW.FooBar.com", false),
    ])
    func `NO_PROXY may contain hosts, domains, addresses, ranges and ports`(host: String, isProxied: Bool) throws {
        let environment = ["HTTP_PROXY": "http://proxy:3128", "NO_PROXY": ProxyEnvironmentTests.exceptions]
        #expect(try proxy(environment, "http://\(host):80") == (isProxied ? "http://proxy:3128" : nil))
        #expect(try proxy(["HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "a.b, *"], "http://\(host):80") == nil)
    }

    @Test(arguments: [
        // (NO_PROXY, server, whether the proxy is used)
        ("example.com", "https://example.com", false), (".example.com", "https://example.com", true),
        ("ample.com", "https://example.com", true), ("example.com", "https://foo.example.com", false),
        (".foo.com", "https://example.com", true), (":1", "https://example.com", true), (",, ,", "https://example.com", true),
        ("example.com:443", "https://example.com", false), ("example.com:6443", "https://example.com", true),
        ("example.com:6443", "https://example.com:6443", false), ("*.example.com:6443", "https://a.example.com:6443", false),
        ("EXAMPLE.COM", "https://example.com", false), ("10.96.0.0/12", "https://10.96.0.1", false),
        ("10.96.0.0/12", "https://10.112.0.1", true), ("fd00:96::/112", "https://[fd00:96::1]:443", false),
        ("0.0.0.0/0", "https://[fd00:96::1]:443", true), ("10.96.0.1", "https://010.096.0.1", false),
        // Brackets require a port.
        ("[fd00::1]", "https://[fd00::1]:443", true), ("[fd00::1]:443", "https://[fd00::1]:443", false),
        ("10.0.0.1/99", "https://10.0.0.1", true), ("*:443", "https://example.com", true),
        // A domain suffix does not match addresses.
        (".0.0.1", "https://10.0.0.1", true),
    ])
    func `NO_PROXY is matched against the server's host and port`(exceptions: String, url: String, isProxied: Bool) throws {
        #expect(try proxy(["HTTPS_PROXY": "proxy", "NO_PROXY": exceptions], url) == (isProxied ? "http://proxy:80" : nil))
    }

    @Test func `User name and password are taken from the URL`() throws {
        let server = try #require(ServerAddress("https://k"))
        let read = try ProxyEnvironment(["HTTPS_PROXY": "me:pass%40word@proxy:3128"]).proxy(for: server)
        #expect(read == ProxyAddress(kind: .http, host: "proxy", port: 3128, user: "me", password: "pass@word"))
        #expect(read?.description == "http://proxy:3128")
    }

    @Test(arguments: [
        (
            ["HTTPS_PROXY": "https://me:hidden@proxy"],
            "HTTPS_PROXY \"https://…@proxy\": proxies over TLS (https://) are not supported: use http:// or socks5://"
        ),
        (
            ["https_proxy": "socks5://me:hidden@proxy"],
            "https_proxy \"socks5://…@proxy\": SOCKS proxies with authentication are not supported"
        ),
        (
            ["HTTPS_PROXY": "ftp://me:hidden@proxy:1"],
            "HTTPS_PROXY \"ftp://…@proxy:1\": must be a URL: http://HOST:PORT, or socks5://HOST:PORT without a user"
        ),
        (
            ["HTTPS_PROXY": "http://me:hid@den@proxy:99999"],
            "HTTPS_PROXY \"http://…@proxy:99999\": must be a URL: http://HOST:PORT, or socks5://HOST:PORT without a user"
        ),
        (
            ["HTTPS_PROXY": "http://me:99999"],
            "HTTPS_PROXY \"http://me:…\": must be a URL: http://HOST:PORT, or socks5://HOST:PORT without a user"
        ),
        (["HTTPS_PROXY": "me:hidden"], "HTTPS_PROXY \"me:…\": must be a URL: http://HOST:PORT, or socks5://HOST:PORT without a user"),
        (["HTTPS_PROXY": "http://"], "HTTPS_PROXY \"http://\": must be a URL: http://HOST:PORT, or socks5://HOST:PORT without a user"),
        (
            ["HTTPS_PROXY": "http://[fd00::1]:0"],
            "HTTPS_PROXY \"http://[fd00::1]:0\": must be a URL: http://HOST:PORT, or socks5://HOST:PORT without a user"
        ),
    ])
    func `Unsupported proxies are reported with their variable, without the password`(environment: [String: String], message: String) {
        let error = #expect(throws: AccessError.self) { try proxy(environment, "https://example.com") }
        #expect(error?.description == "environment: \(message)")
    }

    @Test func `HTTP_PROXY is not trusted in a CGI program`() {
        let error = #expect(throws: AccessError.self) {
            try proxy(["HTTP_PROXY": "http://10.1.2.3:8080", "REQUEST_METHOD": "GET"], "http://example.com")
        }
        #expect(
            error?.description
                == "environment: HTTP_PROXY \"http://10.1.2.3:8080\": cannot be used in a CGI environment (REQUEST_METHOD is set)")
    }

    @Test func `A kubeconfig's proxy takes precedence over the environment's, which also applies to --master and in a pod`() throws {
        let folder = try TemporaryFolder()
        let environment = ["HTTPS_PROXY": "http://environment:1", "KUBERNETES_SERVICE_HOST": "k", "KUBERNETES_SERVICE_PORT": "443"]
        func found(_ cluster: String, master: String? = nil) throws -> String? {
            let text = """
                {current-context: c, contexts: [{name: c, context: {cluster: k}}], clusters: [{name: k, cluster: \(cluster)}]}
                """
            return try APIAccess.find(kubeconfig: try folder.write(text, to: "config"), master: master, environment: environment).proxy?
                .description
        }
        #expect(try found("{server: 'https://k', proxy-url: 'socks5://own:2'}") == "socks5://own:2")
        #expect(try found("{server: 'https://k'}") == "http://environment:1")
        #expect(try found("{server: 'https://k'}", master: "http://k") == nil)
        #expect(
            try APIAccess.find(kubeconfig: nil, master: "https://k:1", environment: environment).proxy?.description
                == "http://environment:1")
        try folder.write("token", to: "token")
        try folder.write("-----BEGIN CERTIFICATE-----", to: "ca.crt")
        let inPod = try APIAccess.find(kubeconfig: nil, master: nil, environment: environment, serviceAccount: folder.path)
        #expect(inPod.proxy?.description == "http://environment:1")
    }
}
