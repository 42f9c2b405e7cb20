import Testing

@testable import KubernetesAPI

struct CredentialsTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func credentials(_ authentication: Authentication, interval: Duration = .seconds(60), timeLimit: Duration = .seconds(200))
        -> Credentials
    {
        let access = APIAccess(server: ServerAddress(isSecure: true, host: "k", port: 1), authentication: authentication)
        return Credentials(access, interval: interval, timeLimit: timeLimit, logger: Follower.quiet)
    }

    /// Creates a credential plugin that counts its runs; its answers contain the count.
    private func plugin(_ script: String) throws -> ExecPlugin {
        let counter = "n=$(cat '\(folder.path)/n' 2>/dev/null || echo 0); n=$((n+1)); echo $n > '\(folder.path)/n'"
        let command = try folder.write("#!/bin/sh\n\(counter)\n\(script)\n", to: "plugin", isExecutable: true)
        return ExecPlugin(command: command, arguments: ["first"], environment: ["GREETING": "hello"], providesClusterInfo: true)
    }

    private static func answer(expiring time: String? = nil) -> String {
        let expiration = time.map { ",\"expirationTimestamp\":\"\($0)\"" } ?? ""
        return
            "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{\"token\":\"t'$n'\"\(expiration)}}'"
    }

    @Test func `A token file is read again after an interval, and immediately when the token is refused`() async throws {
        let file = try folder.write("one\n", to: "token")
        let slow = credentials(.tokenFile(file))
        let first = try await slow.current()
        #expect(first.authorization == "Bearer one")
        try folder.write("two\n", to: "token")
        #expect(try await slow.current() == first)
        #expect(try await slow.refused(first))
        #expect(try await slow.current().authorization == "Bearer two")
        #expect(try await !slow.refused(try await slow.current()))
        let quick = credentials(.tokenFile(file), interval: .zero)
        #expect(try await quick.current().authorization == "Bearer two")
        try folder.write("three", to: "token")
        #expect(try await quick.current().authorization == "Bearer three")
    }

    @Test func `The previous token stays in use if the token file becomes unreadable`() async throws {
        let file = try folder.write("one\n", to: "token")
        let credentials = credentials(.tokenFile(file), interval: .zero)
        _ = try await credentials.current()
        try folder.write("", to: "token")
        #expect(try await credentials.current().authorization == "Bearer one")
        await #expect(throws: AccessError.self) { try await self.credentials(.tokenFile("/absent")).current() }
    }

    @Test func `User name and password are sent per RFC 7617`() async throws {
        #expect(
            try await credentials(.basic(user: "Aladdin", password: "open sesame")).current().authorization
                == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    }

    @Test func `A plugin is run once for concurrent requests, and again when its token is refused`() async throws {
        let credentials = credentials(.exec(try plugin("sleep 0.1; " + CredentialsTests.answer(expiring: "2999-01-01T00:00:00Z"))))
        let all = try await withThrowingTaskGroup { group in
            for _ in 0..<8 { group.addTask { try await credentials.current().authorization } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(all == ["Bearer t1"])
        let first = try await credentials.current()
        #expect(try await credentials.refused(first))
        #expect(try await credentials.refused(first))
        #expect(try await credentials.current().authorization == "Bearer t2")
    }

    @Test func `Expired credentials of a plugin are not used`() async throws {
        let credentials = credentials(.exec(try plugin(CredentialsTests.answer(expiring: "2001-01-01T00:00:00Z"))))
        #expect(try await credentials.current().authorization == "Bearer t1")
        #expect(try await credentials.current().authorization == "Bearer t2")
    }

    @Test func `A plugin gets its arguments, its environment and the cluster information`() async throws {
        let output = "\(folder.path)/output"
        let script = "echo \"$1 $GREETING $KUBERNETES_EXEC_INFO\" > '\(output)'; "
        _ = try await credentials(.exec(try plugin(script + CredentialsTests.answer()))).current()
        let cluster = #""spec":{"cluster":{"server":"https://k:1"},"interactive":false}"#
        #expect(
            String(decoding: try CredentialFile.read(output), as: UTF8.self)
                == "first hello {\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\(cluster)}\n")
    }

    @Test(arguments: [
        ("echo no account >&2; exit 3", "failed: no account"),
        ("echo hello", "did not print an ExecCredential in JSON"),
        ("echo '{\"kind\":\"Pod\"}'", "kind \"Pod\": must be ExecCredential"),
        (
            "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{}}'",
            "status: must contain a token or a certificate"
        ),
        ("sleep 3000", "timed out after 0.3 seconds"),
    ])
    func `The failure of a plugin is reported with the reason`(script: String, message: String) async throws {
        let plugin = try plugin(script)
        let isSlow = script.hasPrefix("sleep")
        let credentials = credentials(.exec(plugin), timeLimit: isSlow ? .milliseconds(300) : .seconds(200))
        let error = await #expect(throws: AccessError.self) { try await credentials.current() }
        #expect(error?.description == "exec \(plugin.command): \(message)")
    }

    @Test func `A missing plugin is reported with its install hint`() async throws {
        let credentials = credentials(.exec(ExecPlugin(command: "/absent/plugin", installHint: "install it")))
        let error = await #expect(throws: AccessError.self) { try await credentials.current() }
        #expect(error?.message.hasSuffix("install it") == true)
    }
}
