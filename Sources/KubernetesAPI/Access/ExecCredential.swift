internal import FoundationEssentials

/// What a credential plugin printed (`ExecCredential` of `client.authentication.k8s.io/v1`).
struct ExecCredential: Hashable, Sendable {
    var token: String?
    var certificate: [UInt8]?
    var key: [UInt8]?
    /// Seconds since 1970; nil for as long as the process lives.
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

    /// Reads the answer of a plugin; errors never show what it printed, for that is the credential.
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
            throw refusal("status", "clientCertificateData and clientKeyData go together")
        }
        guard token != nil || certificate != nil else { throw refusal("status", "holds neither a token nor a certificate") }
        if let text = status.expirationTimestamp {
            do {
                expiration = try Date(text, strategy: .iso8601).timeIntervalSince1970
            } catch {
                throw refusal("status.expirationTimestamp", "must be a time in RFC 3339", text)
            }
        }
    }
}
