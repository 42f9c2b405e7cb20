internal import Model

/// Which proxy the environment names for a server: `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, or the same in lower case where that is not set.
///
/// The rules are those of client-go: Go's golang.org/x/net/http/httpproxy, by way of net/http `ProxyFromEnvironment`.
public struct ProxyEnvironment: Sendable {
    private let variables: [String: String]

    public init(_ environment: [String: String]) { variables = environment }

    /// Nil for the direct way.
    ///
    /// Fails where the proxy cannot be used; the error names the variable and shows no password. Go takes the direct way then.
    public func proxy(for server: ServerAddress) throws(AccessError) -> ProxyAddress? {
        guard let (name, value) = variable(server.isSecure ? "HTTPS_PROXY" : "HTTP_PROXY") else { return nil }
        // In a CGI program `HTTP_PROXY` is a header of the request: https://golang.org/s/cgihttpproxy
        if !server.isSecure, isCGI { throw error(name, value, "is not to be trusted where REQUEST_METHOD is set") }
        guard reachesByProxy(server) else { return nil }
        do {
            return try ProxyAddress(value.contains("://") ? value : "http://\(value)")
        } catch {
            throw self.error(name, value, error.message)
        }
    }

    private func reachesByProxy(_ server: ServerAddress) -> Bool {
        guard server.host != "localhost", IPAddress(server.host)?.isLoopback != true else { return false }
        return !(variable("NO_PROXY").map { ProxyExceptions($0.value).contain(host: server.host, port: server.port) } ?? false)
    }

    private var isCGI: Bool { variables["REQUEST_METHOD"].map { !$0.isEmpty } ?? false }

    /// A variable that is empty is not set.
    private func variable(_ name: String) -> (name: String, value: String)? {
        [name, name.lowercased()].lazy.compactMap { name in variables[name].map { (name, $0) } }.first { !$0.1.isEmpty }
    }

    private func error(_ name: String, _ value: String, _ message: String) -> AccessError {
        AccessError(source: "environment", field: name, value: ProxyAddress.withoutSecrets(value), message: message)
    }
}
