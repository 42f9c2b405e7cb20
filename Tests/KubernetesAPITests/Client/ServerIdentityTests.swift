import Model
import Testing

@testable import KubernetesAPI

/// The rules of Go's `VerifyHostname`.
struct ServerIdentityTests {
    @Test(
        arguments: [
            ("api.example.com", ["api.example.com"], true), ("API.example.com.", ["other", "api.EXAMPLE.com"], true),
            ("api.example.com", ["*.example.com"], true), ("api.example.com", ["example.com"], false),
            ("example.com", ["*.example.com"], false),
            ("a.b.example.com", ["*.example.com"], false), ("api.example.com", ["a*.example.com"], false),
            ("api.example.com", ["*.*.com"], false), ("api.example.com", ["*"], false), ("localhost", ["*"], false),
            ("api.example.com", ["api.*.com"], false), ("localhost", ["localhost"], true), ("api.example.com", [], false),
            ("", [""], false),
            (".example.com", ["*.example.com"], false), ("10.0.0.1", ["10.0.0.1"], false),
        ] as [(String, [String], Bool)])
    func `A name must match one of the certificate's names or its wildcard`(expected: String, names: [String], fits: Bool) {
        #expect(names.contains { ServerIdentity(expected).matches(.name($0)) } == fits)
    }

    @Test(arguments: [
        ("10.0.0.1", "10.0.0.1", true), ("10.0.0.1", "10.0.0.2", false), ("fd00::1", "fd00:0:0::1", true),
        ("::ffff:10.0.0.1", "10.0.0.1", true),
        ("api.example.com", "10.0.0.1", false),
    ])
    func `An address must match one of the certificate's addresses`(expected: String, address: String, fits: Bool) throws {
        #expect(ServerIdentity(expected).matches(.address(try #require(IPAddress(address)))) == fits)
    }
}
