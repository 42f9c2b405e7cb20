import KubernetesAPI
import Testing

/// Valid kubeconfigs, and all their possible errors.
struct KubeconfigTests {
    private let folder: TemporaryFolder
    /// Data with a PEM header.
    private static let pem = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
    private static let pemBase64 = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1BPT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="

    init() throws {
        folder = try TemporaryFolder()
        for name in ["ca.crt", "client.crt", "client.key"] { try folder.write(KubeconfigTests.pem, to: name) }
        try folder.write("secret\n", to: "token")
        try folder.write("no certificate", to: "empty.crt")
    }

    /// Reads a kubeconfig with one context of the given cluster and user, each in YAML flow style.
    private func read(cluster: String, user: String = "{}", master: String? = nil) throws -> APIAccess {
        let text = """
            apiVersion: v1
            kind: Config
            current-context: c
            contexts: [{name: c, context: {cluster: k, user: u}}]
            clusters: [{name: k, cluster: \(cluster)}]
            users: [{name: u, user: \(user)}]
            """
        return try Kubeconfig(file: folder.write(text, to: "config")).access(master: master)
    }

    private func server(_ text: String) throws -> ServerAddress { try #require(ServerAddress(text)) }

    @Test func `Files of a cluster and a user are relative to the kubeconfig`() throws {
        let access = try read(
            cluster: "{server: 'https://k.example:6443/prefix/', certificate-authority: ca.crt, tls-server-name: api.example}",
            user: "{client-certificate: client.crt, client-key: \(folder.path)/client.key, tokenFile: token}")
        #expect(
            access
                == APIAccess(
                    server: ServerAddress(isSecure: true, host: "k.example", port: 6443, path: "/prefix"),
                    certificateAuthority: .file("\(folder.path)/ca.crt"), tlsServerName: "api.example",
                    clientCertificate: .file("\(folder.path)/client.crt"), clientKey: .file("\(folder.path)/client.key"),
                    authentication: .tokenFile("\(folder.path)/token")))
    }

    @Test func `Inline data takes precedence over files, and a plain token is used as is`() throws {
        let access = try read(
            cluster:
                "{server: 'https://[fd00::1]', certificate-authority: absent, certificate-authority-data: \(KubeconfigTests.pemBase64)}",
            user: "{token: t, unknown: [1]}")
        #expect(access.certificateAuthority == .data(Array(KubeconfigTests.pem.utf8)))
        #expect(access.server == ServerAddress(isSecure: true, host: "fd00::1", port: 443))
        #expect(access.authentication == .token("t"))
        #expect(!access.skipsVerification)
    }

    @Test func `JSON, a context without user, a proxy and disabled verification are supported`() throws {
        let text = """
            {"current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "k"}}], "clusters": [{"name": "k", "cluster":
            {"server": "https://k", "insecure-skip-tls-verify": true, "proxy-url": "http://me:secret@proxy:3128"}}]}
            """
        let access = try Kubeconfig(file: folder.write(text, to: "config")).access()
        #expect(access.skipsVerification)
        #expect(access.proxy == ProxyAddress(kind: .http, host: "proxy", port: 3128, user: "me", password: "secret"))
        #expect(access.authentication == .none)
        #expect(
            try read(cluster: "{server: 'https://k', proxy-url: 'socks5://p'}").proxy == ProxyAddress(kind: .socks5, host: "p", port: 1080))
    }

    @Test func `User name and password, and a credential plugin, are supported`() throws {
        #expect(try read(cluster: "{server: k}", user: "{username: me, password: '1'}").authentication == .basic(user: "me", password: "1"))
        let plugin = try read(
            cluster: "{server: k}",
            user: """
                {exec: {apiVersion: client.authentication.k8s.io/v1, command: bin/get, args: [a, '1'], env: [{name: A, value: b}],
                  interactiveMode: IfAvailable, provideClusterInfo: true, installHint: get it}}
                """
        ).authentication
        #expect(
            plugin
                == .exec(
                    ExecPlugin(
                        command: "\(folder.path)/bin/get", arguments: ["a", "1"], environment: ["A": "b"], installHint: "get it",
                        providesClusterInfo: true)))
    }

    @Test func `--master overrides the server, with TLS if the kubeconfig has TLS settings`() throws {
        #expect(try read(cluster: "{}", master: "10.0.0.1:8080").server == server("http://10.0.0.1:8080"))
        #expect(try read(cluster: "{certificate-authority: ca.crt}", master: "10.0.0.1:6443").server == server("https://10.0.0.1:6443"))
        let alone = try APIAccess.find(kubeconfig: "", master: "https://k:1", environment: [:])
        #expect(alone == APIAccess(server: try server("https://k:1")))
        #expect(throws: AccessError(source: "--master", value: "ftp://k", message: "must be a URL: https://HOST:PORT")) {
            try APIAccess.find(kubeconfig: nil, master: "ftp://k", environment: [:])
        }
    }

    @Test(arguments: [
        ("{}", "{}", "cluster.server: is required"),
        ("{server: 'ftp://k'}", "{}", "cluster.server \"ftp://k\": must be a URL: https://HOST:PORT"),
        (
            "{server: 'https://k%0d%0aAuthorization:%20x'}", "{}",
            "cluster.server \"https://k%0d%0aAuthorization:%20x\": must be a URL: https://HOST:PORT"
        ),
        ("{server: 'https://k%2fpath'}", "{}", "cluster.server \"https://k%2fpath\": must be a URL: https://HOST:PORT"),
        ("{server: [k]}", "{}", "cluster.server: must be text"),
        ("[]", "{}", "cluster: must be a mapping"),
        ("{server: k, certificate-authority-data: '%%'}", "{}", "cluster.certificate-authority-data: must be base64"),
        ("{server: k, certificate-authority-data: YWJj}", "{}", "cluster.certificate-authority-data: contains no PEM data"),
        (
            "{server: k, certificate-authority: /absent}", "{}",
            "cluster.certificate-authority \"/absent\": failed to read: No such file or directory"
        ),
        ("{server: k, certificate-authority: empty.crt}", "{}", "cluster.certificate-authority \"FOLDER/empty.crt\": contains no PEM data"),
        ("{server: k, insecure-skip-tls-verify: maybe}", "{}", "cluster.insecure-skip-tls-verify \"maybe\": must be true or false"),
        (
            "{server: k, insecure-skip-tls-verify: true, certificate-authority: ca.crt}", "{}",
            "cluster.insecure-skip-tls-verify \"true\": cannot be true together with a certificate authority"
        ),
        (
            "{server: k, proxy-url: 'ftp://p'}", "{}",
            "cluster.proxy-url \"ftp://p\": must be a URL: http://HOST:PORT, or socks5://HOST:PORT without a user"
        ),
        (
            "{server: k, proxy-url: 'https://me:hidden@p'}", "{}",
            "cluster.proxy-url \"https://…@p\": proxies over TLS (https://) are not supported: use http:// or socks5://"
        ),
        (
            "{server: k, proxy-url: 'socks5://me:hidden@p'}", "{}",
            "cluster.proxy-url \"socks5://…@p\": SOCKS proxies with authentication are not supported"
        ),
        (
            "{server: k}", "{client-certificate: client.crt}",
            "user.client-key: is required: client-certificate and client-key must both be set"
        ),
        (
            "{server: k}", "{client-key: client.key}",
            "user.client-certificate: is required: client-certificate and client-key must both be set"
        ),
        ("{server: k}", "{tokenFile: absent}", "user.tokenFile \"FOLDER/absent\": failed to read: No such file or directory"),
        ("{server: k}", "{password: p}", "user.username: is required with a password"),
        ("{server: k}", "{token: t, username: me}", "user.username: cannot be combined with a token"),
        ("{server: k}", "{as: admin}", "user.as: impersonation is not supported"),
        ("{server: k}", "{auth-provider: {name: gcp}}", "user.auth-provider: is not supported: use exec"),
        ("{server: k}", "{exec: {command: c}}", "user.exec.apiVersion: is required"),
        (
            "{server: k}", "{exec: {apiVersion: v1, command: c}}",
            "user.exec.apiVersion \"v1\": must be client.authentication.k8s.io/v1"
        ),
        (
            "{server: k}", "{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}}",
            "user.exec.command: is required"
        ),
        (
            "{server: k}", "{exec: {apiVersion: client.authentication.k8s.io/v1, command: c}}",
            "user.exec.interactiveMode: is required: Never or IfAvailable"
        ),
        (
            "{server: k}", "{exec: {apiVersion: client.authentication.k8s.io/v1, command: c, interactiveMode: Always}}",
            "user.exec.interactiveMode \"Always\": is not supported: there is no terminal"
        ),
        (
            "{server: k}", "{exec: {apiVersion: client.authentication.k8s.io/v1, command: c, interactiveMode: Never, env: [{value: v}]}}",
            "user.exec.env[0].name: is required"
        ),
        (
            "{server: k}", "{exec: {apiVersion: client.authentication.k8s.io/v1, command: c, interactiveMode: Never, args: a}}",
            "user.exec.args: must be a list"
        ),
    ])
    func `Invalid values are reported with file and field`(cluster: String, user: String, message: String) {
        let error = #expect(throws: AccessError.self) { try read(cluster: cluster, user: user) }
        let place = message.hasPrefix("cluster") ? "clusters[0]." : "users[0]."
        let expected = message.replacing("FOLDER", with: folder.path)
        #expect(error?.description == "kubeconfig \(folder.path)/config: \(place)\(expected)")
    }

    @Test(arguments: [
        ("", "must be a mapping with clusters, users and contexts"),
        ("[]", "must be a mapping with clusters, users and contexts"),
        ("{}", "current-context: is not set"),
        ("{kind: Pod}", "kind \"Pod\": must be Config"),
        ("{apiVersion: v2}", "apiVersion \"v2\": must be v1"),
        ("{current-context: a}", "current-context \"a\": no such context"),
        ("{current-context: a, contexts: {}}", "contexts: must be a list"),
        ("{current-context: a, contexts: [{}]}", "contexts[0].name: is required"),
        ("{current-context: a, contexts: [{name: a}]}", "contexts[0].context.cluster: is required"),
        ("{current-context: a, contexts: [{name: a, context: {cluster: b}}]}", "contexts[0].context.cluster \"b\": no such cluster"),
        (
            "{current-context: a, contexts: [{name: a, context: {cluster: b, user: c}}], clusters: [{name: b, cluster: {server: k}}]}",
            "contexts[0].context.user \"c\": no such user"
        ),
    ])
    func `Missing or inconsistent entries are reported with file and field`(text: String, message: String) throws {
        let file = try folder.write(text, to: "config")
        let error = #expect(throws: AccessError.self) { try Kubeconfig(file: file).access() }
        #expect(error?.description == "kubeconfig \(file): \(message)")
    }

    @Test func `Aliases that expand to billions of values are refused at once`() throws {
        var text = "a0: &a0 x\n"
        for level in 1...30 { text += "a\(level): &a\(level)\n" + String(repeating: "- *a\(level - 1)\n", count: 10) }
        let file = try folder.write(text, to: "bomb")
        #expect(throws: AccessError(source: "kubeconfig \(file)", message: "grows too large through its aliases: write the values out")) {
            try Kubeconfig(file: file)
        }
    }

    @Test func `The last of duplicate keys applies, and unquoted words are text`() throws {
        let access = try read(cluster: "{server: 'https://k'}", user: "{token: a, token: yes}")
        #expect(access.authentication == .token("yes"))
    }

    @Test func `Missing files and invalid YAML are reported`() throws {
        #expect(throws: AccessError(source: "kubeconfig /absent", message: "failed to read: No such file or directory")) {
            try Kubeconfig(file: "/absent")
        }
        let file = try folder.write("a: [", to: "config")
        let error = #expect(throws: AccessError.self) { try Kubeconfig(file: file) }
        #expect(error?.message.hasPrefix("is not valid YAML") == true)
    }

    @Test func `Errors are one line, whatever the file contains`() throws {
        let file = try folder.write(#"{current-context: "c\nE1128 forged\e[2J", contexts: []}"#, to: "config")
        let error = #expect(throws: AccessError.self) { try Kubeconfig(file: file).access() }
        #expect(error?.description == #"kubeconfig \#(file): current-context "c\u{a}E1128 forged\u{1b}[2J": no such context"#)
    }

    @Test func `Secrets are not shown`() throws {
        let shown = "\(try read(cluster: "{server: k}", user: "{token: hidden}"))"
        #expect(!shown.contains("hidden"))
    }
}
