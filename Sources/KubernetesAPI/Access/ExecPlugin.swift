internal import FoundationEssentials
internal import Subprocess
internal import SystemPackage

/// A program that prints credentials (`users[].user.exec` of a kubeconfig, `client.authentication.k8s.io/v1`).
public struct ExecPlugin: Hashable, Sendable {
    /// `apiVersion`: the version of the ExecCredential that the program has to print.
    public var apiVersion: String
    /// `command`: a name to look up in PATH, or a path.
    public var command: String
    /// `args`
    public var arguments: [String]
    /// `env`, in addition to this process's environment.
    public var environment: [String: String]
    /// `installHint`: shown if the program is missing.
    public var installHint: String?
    /// `provideClusterInfo`: whether the program gets the details of the cluster.
    public var providesClusterInfo: Bool

    /// The supported versions; they differ only in name.
    public static let apiVersions = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"]

    public init(
        apiVersion: String = ExecPlugin.apiVersions[0], command: String, arguments: [String] = [], environment: [String: String] = [:],
        installHint: String? = nil, providesClusterInfo: Bool = false
    ) {
        self.apiVersion = apiVersion
        self.command = command
        self.arguments = arguments
        self.environment = environment
        self.installHint = installHint
        self.providesClusterInfo = providesClusterInfo
    }
}

extension ExecPlugin {
    /// Runs the program and decodes its output. Its stderr is returned, or part of the error.
    func run(information: String, timeLimit: Duration) async throws(AccessError) -> (credential: ExecCredential, standardError: String) {
        var updates: [Environment.Key: String?] = ["KUBERNETES_EXEC_INFO": information]
        for (name, value) in environment { updates[Environment.Key(stringLiteral: name)] = value }
        let executable: Executable = command.contains("/") ? .path(.init(command)) : .name(command)
        let environment = Environment.inherit.updating(updates)
        let arguments = Arguments(arguments)
        let outcome: ExecPluginOutcome
        do {
            outcome = try await withThrowingTaskGroup(of: ExecPluginOutcome.self) { group in
                group.addTask {
                    let result = try await Subprocess.run(
                        executable, arguments: arguments, environment: environment, output: .string(limit: 1 << 20),
                        error: .string(limit: 64 << 10))
                    return .ended(
                        isSuccess: result.terminationStatus.isSuccess, output: result.standardOutput, standardError: result.standardError)
                }
                group.addTask {
                    try await Task.sleep(for: timeLimit)
                    return .timedOut
                }
                // The slower of the two is cancelled, which terminates the program.
                defer { group.cancelAll() }
                return try await group.next() ?? .timedOut
            }
        } catch {
            throw failure(installHint.map { "failed to run: \(error): \($0)" } ?? "failed to run: \(error)")
        }
        switch outcome {
        case .timedOut: throw failure("timed out after \(timeLimit)")
        case .ended(let isSuccess, let output, let standardError):
            let standardError = standardError.split(separator: "\n").joined(separator: "; ")
            guard isSuccess else { throw failure("failed: \(standardError)") }
            return (try ExecCredential(json: Array(output.utf8), of: self), standardError)
        }
    }

    private func failure(_ message: String) -> AccessError { AccessError(source: "exec \(command)", message: message) }
}

/// The output of a credential plugin (`ExecCredential` of `client.authentication.k8s.io/v1`).
struct ExecCredential: Hashable, Sendable {
    var token: String?
    var certificate: [UInt8]?
    var key: [UInt8]?
    /// Seconds since 1970; nil if the credential is valid for the lifetime of the process.
    var expiration: Double?

    private struct Answer: Decodable {
        struct Status: Decodable {
            var token: String?
            var clientCertificateData: String?
            var clientKeyData: String?
            var expirationTimestamp: String?
        }

        var kind: String?
        var apiVersion: String?
        var status: Status?
    }

    /// Decodes the output of a plugin. Errors never show the output, as it contains the credential.
    init(json: [UInt8], of plugin: ExecPlugin) throws(AccessError) {
        func refusal(_ field: String?, _ message: String, _ value: String? = nil) -> AccessError {
            AccessError(source: "exec \(plugin.command)", field: field, value: value, message: message)
        }
        let answer: Answer
        do {
            answer = try JSONDecoder().decode(Answer.self, from: Data(json))
        } catch {
            throw refusal(nil, "did not print an ExecCredential in JSON")
        }
        guard answer.kind == "ExecCredential" else { throw refusal("kind", "must be ExecCredential", answer.kind) }
        guard answer.apiVersion == plugin.apiVersion else {
            throw refusal("apiVersion", "must be \(plugin.apiVersion)", answer.apiVersion)
        }
        guard let status = answer.status else { throw refusal("status", "is required") }
        token = status.token.flatMap { $0.isEmpty ? nil : $0 }
        certificate = status.clientCertificateData.flatMap { $0.isEmpty ? nil : Array($0.utf8) }
        key = status.clientKeyData.flatMap { $0.isEmpty ? nil : Array($0.utf8) }
        guard (certificate == nil) == (key == nil) else {
            throw refusal("status", "clientCertificateData and clientKeyData must both be set")
        }
        guard token != nil || certificate != nil else { throw refusal("status", "must contain a token or a certificate") }
        if let text = status.expirationTimestamp {
            do {
                expiration = try Date(text, strategy: .iso8601).timeIntervalSince1970
            } catch {
                throw refusal("status.expirationTimestamp", "must be a time in RFC 3339", text)
            }
        }
    }
}

/// The content of `KUBERNETES_EXEC_INFO` for a credential plugin.
struct ExecInfo: Encodable {
    struct Spec: Encodable {
        var interactive = false
        var cluster: Cluster?
    }

    struct Cluster: Encodable {
        enum CodingKeys: String, CodingKey {
            case server
            case tlsServerName = "tls-server-name"
            case insecure = "insecure-skip-tls-verify"
            case authority = "certificate-authority-data"
            case proxy = "proxy-url"
        }

        var server: String
        var tlsServerName: String?
        var insecure: Bool?
        var authority: Data?
        var proxy: String?
    }

    var kind = "ExecCredential"
    var apiVersion: String
    var spec: Spec

    /// Returns the value of the variable.
    static func text(for plugin: ExecPlugin, access: APIAccess, authorities: [UInt8]?) throws(AccessError) -> String {
        var info = ExecInfo(apiVersion: plugin.apiVersion, spec: Spec())
        if plugin.providesClusterInfo {
            info.spec.cluster = Cluster(
                server: access.server.description, tlsServerName: access.tlsServerName, insecure: access.skipsVerification ? true : nil,
                authority: authorities.map { Data($0) }, proxy: access.proxy?.description)
        }
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(info), as: UTF8.self)
        } catch {
            throw AccessError(source: "exec \(plugin.command)", message: "failed to write KUBERNETES_EXEC_INFO: \(error)")
        }
    }
}

private enum ExecPluginOutcome {
    case ended(isSuccess: Bool, output: String, standardError: String)
    case timedOut
}
