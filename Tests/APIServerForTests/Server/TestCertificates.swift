public import NIOSSL
import FoundationEssentials
import Subprocess
import SystemPackage

/// Certificates that openssl creates in a folder.
public struct TestCertificates: Sendable {
    public let folder: String

    /// Uses existing certificates.
    public init(found folder: String) {
        self.folder = folder
    }

    /// Creates an authority, and a server certificate for 127.0.0.1, `api.test` and any other names (`IP:…`, `DNS:…`).
    public init(in folder: String, for names: [String] = []) async throws {
        self.folder = folder
        try await openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test-ca -keyout ca.key -out ca.crt")
        let all = ["IP:127.0.0.1", "DNS:api.test"] + names
        try await sign("server", subject: "/CN=server", extensions: "subjectAltName=\(all.joined(separator: ","))")
    }

    /// Creates a key and a certificate of an authority, the first one or another that was signed: `NAME.key` and `NAME.crt`.
    ///
    /// - Parameter days: the validity; negative for an expired certificate.
    public func sign(
        _ name: String, subject: String, extensions: String = "basicConstraints=CA:FALSE", by authority: String = "ca", days: Int = 2
    ) async throws {
        try Data(extensions.utf8).write(to: URL(filePath: "\(folder)/\(name).ext"))
        try await openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj \(subject) -keyout \(name).key -out \(name).csr")
        try await openssl(
            "x509 -req -in \(name).csr -CA \(authority).crt -CAkey \(authority).key -CAcreateserial -days \(days) -extfile \(name).ext -out \(name).crt"
        )
    }

    /// Creates a key and a self-signed certificate.
    public func signItself(_ name: String, subject: String, extensions: String) async throws {
        try Data(extensions.utf8).write(to: URL(filePath: "\(folder)/\(name).ext"))
        try await openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj \(subject) -keyout \(name).key -out \(name).csr")
        try await openssl("x509 -req -in \(name).csr -signkey \(name).key -days 2 -extfile \(name).ext -out \(name).crt")
    }

    /// Whether a client has to present a certificate of the authority.
    public enum Clients: Sendable {
        case notRequested, optional, required
    }

    /// Returns the TLS configuration of the server, optionally with HTTP/2.
    public func server(clients: Clients = .notRequested, offersHTTP2: Bool = false) throws -> TLSConfiguration {
        var result = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile("\(folder)/server.crt").map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: "\(folder)/server.key", format: .pem)))
        if offersHTTP2 { result.applicationProtocols = ["h2", "http/1.1"] }
        if clients != .notRequested {
            result.certificateVerification = clients == .required ? .noHostnameVerification : .optionalVerification
            result.trustRoots = .file("\(folder)/ca.crt")
        }
        return result
    }

    private struct Failed: Error {
        let standardError: String
    }

    private func openssl(_ arguments: String) async throws {
        let result = try await Subprocess.run(
            .name("openssl"), arguments: Arguments(arguments.split(separator: " ").map(String.init)), workingDirectory: .init(folder),
            output: .discarded, error: .string(limit: 1 << 16))
        guard result.terminationStatus.isSuccess else { throw Failed(standardError: result.standardError) }
    }
}
