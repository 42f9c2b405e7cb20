import FoundationEssentials
import NIOSSL
import Testing

@testable import APIServerForTests
@testable import KubernetesAPI

/// Which servers are trusted with which `certificate-authority`, using TLS to a server in this process.
@Suite(.timeLimit(.minutes(10))) struct TrustAnchorTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private struct Case: CustomStringConvertible {
        /// The files of `certificate-authority`.
        var bundle: [String]
        /// The files that the server sends; the first is its own.
        var chain: [String]
        var connects: Bool

        init(_ bundle: String, _ chain: String, connects: Bool) {
            self.bundle = bundle.split(separator: " ").map(String.init)
            self.chain = chain.split(separator: " ").map(String.init)
            self.connects = connects
        }

        var description: String { "\(bundle) for a server that sends \(chain)" }
    }

    /// The same results as with kubectl, except for the last case.
    private static let cases = [
        Case("ca", "by-root", connects: true),
        Case("ca", "by-inter inter", connects: true),
        Case("ca", "by-inter", connects: false),
        // An intermediate authority needs no root, whatever else the server sends.
        Case("inter", "by-inter", connects: true),
        Case("inter", "by-inter inter", connects: true),
        Case("inter", "by-inter inter ca", connects: true),
        Case("inter", "by-lower lower", connects: true),
        Case("inter lower", "by-lower", connects: true),
        Case("lower", "by-lower", connects: true),
        Case("inter ca", "by-inter", connects: true),
        Case("other ca inter", "by-inter", connects: true),
        // Only certificates below the anchor are trusted.
        Case("inter", "by-root", connects: false),
        Case("inter", "by-lower", connects: false),
        Case("lower", "by-inter inter", connects: false),
        Case("other", "by-inter inter ca", connects: false),
        Case("impostor", "by-inter", connects: false),
        Case("impostor", "by-inter inter", connects: false),
        // The checks of every chain apply below an intermediate authority.
        Case("inter", "expired", connects: false),
        Case("inter", "wrong-name", connects: false),
        Case("inter", "client-only", connects: false),
        Case("expired-inter", "by-expired-inter", connects: false),
        Case("no-authority", "by-no-authority", connects: false),
        Case("client-inter", "by-client-inter", connects: false),
        Case("expired-inter inter", "by-inter", connects: true),
        // Another anchor above them does not help.
        Case("ca no-authority", "by-no-authority", connects: false),
        Case("ca client-inter", "by-client-inter", connects: false),
        Case("ca client-inter", "by-root", connects: true),
        Case("client-root", "by-client-root", connects: false),
        Case("client-root ca", "by-client-root", connects: false),
        // The path length of the anchor itself is not checked; BoringSSL does not check it in a root either.
        Case("no-depth", "by-no-depth", connects: true),
        Case("no-depth", "by-too-deep too-deep", connects: true),
        Case("inter", "by-too-deep too-deep no-depth", connects: false),
        // A server's own certificate, if it is self-signed. Go accepts any.
        Case("alone", "alone", connects: true),
        Case("by-inter", "by-inter", connects: false),
    ]

    private func makeCertificates() async throws {
        let make = try await TestCertificates(in: folder.path)
        let authority =
            "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid"
        let server = "subjectAltName=IP:127.0.0.1,DNS:api.test\nextendedKeyUsage=serverAuth\nauthorityKeyIdentifier=keyid"
        try await make.sign("by-root", subject: "/CN=server", extensions: server)
        try await make.sign("inter", subject: "/CN=inter", extensions: authority)
        try await make.sign("by-inter", subject: "/CN=server", extensions: server, by: "inter")
        try await make.sign("lower", subject: "/CN=lower", extensions: authority, by: "inter")
        try await make.sign("by-lower", subject: "/CN=server", extensions: server, by: "lower")
        try await make.sign("other", subject: "/CN=other", extensions: authority)
        // The name of the intermediate authority with another key.
        try await make.sign("impostor", subject: "/CN=inter", extensions: authority)
        try await make.sign("expired", subject: "/CN=server", extensions: server, by: "inter", days: -1)
        try await make.sign(
            "wrong-name", subject: "/CN=127.0.0.1", extensions: "subjectAltName=IP:192.0.2.1,DNS:other.test\nextendedKeyUsage=serverAuth",
            by: "inter")
        try await make.sign(
            "client-only", subject: "/CN=server", extensions: "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=clientAuth", by: "inter")
        try await make.sign("expired-inter", subject: "/CN=expired-inter", extensions: authority, days: -1)
        try await make.sign("by-expired-inter", subject: "/CN=server", extensions: server, by: "expired-inter")
        try await make.sign("no-authority", subject: "/CN=no-authority", extensions: "basicConstraints=CA:FALSE\nsubjectKeyIdentifier=hash")
        try await make.sign("by-no-authority", subject: "/CN=server", extensions: server, by: "no-authority")
        try await make.sign("client-inter", subject: "/CN=client-inter", extensions: "\(authority)\nextendedKeyUsage=clientAuth")
        try await make.sign("by-client-inter", subject: "/CN=server", extensions: server, by: "client-inter")
        try await make.sign(
            "no-depth", subject: "/CN=no-depth", extensions: authority.replacing("CA:TRUE", with: "CA:TRUE,pathlen:0"), by: "inter")
        try await make.sign("by-no-depth", subject: "/CN=server", extensions: server, by: "no-depth")
        try await make.sign("too-deep", subject: "/CN=too-deep", extensions: authority, by: "no-depth")
        try await make.sign("by-too-deep", subject: "/CN=server", extensions: server, by: "too-deep")
        try await make.signItself(
            "client-root", subject: "/CN=client-root",
            extensions: "\(authority)\nextendedKeyUsage=clientAuth".replacing("\nauthorityKeyIdentifier=keyid", with: ""))
        try await make.sign("by-client-root", subject: "/CN=server", extensions: server, by: "client-root")
        try await make.signItself("alone", subject: "/CN=alone", extensions: server.replacing("\nauthorityKeyIdentifier=keyid", with: ""))
    }

    private func read(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: "\(folder.path)/\(name)")), as: UTF8.self)
    }

    /// Returns the error of a request, and whether the server received it.
    private func attempt(_ access: APIAccess, _ server: TestAPIServer) async -> (error: APIError?, wasReceived: Bool) {
        let client = APIClient(access, settings: Follower.clientSettings(), logger: Follower.quiet)
        var failure: APIError?
        do {
            _ = try await client.send(APIRequest(.get, "/api/v1/services"))
        } catch {
            failure = error
        }
        await client.close()
        return (failure, !server.requests("services").isEmpty)
    }

    @Test func `Each certificate in the authority's file is a trust anchor, with all other checks as usual`() async throws {
        try await makeCertificates()
        for trial in TrustAnchorTests.cases {
            try folder.write(try trial.chain.map { try read("\($0).crt") }.joined(), to: "server.crt")
            try folder.write(try read("\(trial.chain[0]).key"), to: "server.key")
            let bundle = PEMSource.data(Array(try trial.bundle.map { try read("\($0).crt") }.joined().utf8))
            for offersHTTP2 in [false, true] {
                try await TestAPIServer.serving(tls: TestCertificates(found: folder.path).server(offersHTTP2: offersHTTP2)) { server in
                    var access = try server.access
                    access.certificateAuthority = bundle
                    let (error, wasReceived) = await attempt(access, server)
                    #expect(
                        (error == nil) == trial.connects && wasReceived == trial.connects, "\(trial): \(error?.description ?? "connects")")
                }
            }
        }
    }

    @Test func `An authority is trusted from the first to the last second of its validity`() async throws {
        try await makeCertificates()
        let bundle = try NIOSSLCertificate.fromPEMBytes(Array(try read("inter.crt").utf8))
        let (first, last) = (bundle[0].notValidBefore, bundle[0].notValidAfter)
        for (time, validity) in [
            (first - 1, .min..<first), (first, first..<last + 1), (last, first..<last + 1), (last + 1, last + 1 ..< .max),
        ] as [(Int, Range<Int>)] {
            #expect(try TrustAnchors(bundle, at: time).validity == validity)
        }
    }
}
