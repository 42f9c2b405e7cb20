import NIOSSL
import Subprocess
import SystemPackage

/// Certificates that openssl makes for one test, in a folder.
struct TestCertificates {
    let folder: String

    /// An authority, and a server's certificate for 127.0.0.1 and `api.test`.
    init(in folder: String) async throws {
        self.folder = folder
        try await openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test-ca -keyout ca.key -out ca.crt")
        try await sign("server", subject: "/CN=server", extensions: "subjectAltName=IP:127.0.0.1,DNS:api.test")
    }

    /// A key and a certificate of the authority: `NAME.key` and `NAME.crt`.
    func sign(_ name: String, subject: String, extensions: String = "basicConstraints=CA:FALSE") async throws {
        try TemporaryFolder.write(extensions, to: "\(folder)/\(name).ext")
        try await openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj \(subject) -keyout \(name).key -out \(name).csr")
        try await openssl(
            "x509 -req -in \(name).csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile \(name).ext -out \(name).crt")
    }

    /// What the server is set up with; `asksClients` for certificates of the authority if so, and offers HTTP/2 if so.
    func server(asksClients: Bool = false, offersHTTP2: Bool = false) throws -> TLSConfiguration {
        var result = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile("\(folder)/server.crt").map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: "\(folder)/server.key", format: .pem)))
        if offersHTTP2 { result.applicationProtocols = ["h2", "http/1.1"] }
        if asksClients {
            result.certificateVerification = .noHostnameVerification
            result.trustRoots = .file("\(folder)/ca.crt")
        }
        return result
    }

    private struct Failed: Error {
        let complaint: String
    }

    private func openssl(_ arguments: String) async throws {
        let result = try await Subprocess.run(
            .name("openssl"), arguments: Arguments(arguments.split(separator: " ").map(String.init)), workingDirectory: .init(folder),
            output: .discarded, error: .string(limit: 1 << 16))
        guard result.terminationStatus.isSuccess else { throw Failed(complaint: result.standardError) }
    }
}
