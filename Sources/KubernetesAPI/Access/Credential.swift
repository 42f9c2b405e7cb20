internal import FoundationEssentials

/// What a request is sent with: who it is from, and over which TLS connection.
struct Credential: Hashable, Sendable {
    /// The `Authorization` header.
    var authorization: String?
    var tls: TLSMaterial

    static func bearer(_ token: String) -> String { "Bearer \(token)" }

    static func basic(user: String, password: String) -> String {
        "Basic \(Data("\(user):\(password)".utf8).base64EncodedString())"
    }
}
