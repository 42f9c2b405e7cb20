internal import FoundationEssentials
internal import Model
internal import Text

/// A proxy between this program and the API server (`clusters[].cluster.proxy-url`, or from the environment).
public struct ProxyAddress: Hashable, Sendable {
    public var kind: HTTPProxyKind
    public var host: String
    public var port: Int
    /// For `Proxy-Authorization: Basic` with an HTTP proxy.
    public var user: String?
    public var password: String?

    public init(kind: HTTPProxyKind, host: String, port: Int, user: String? = nil, password: String? = nil) {
        self.kind = kind
        self.host = host
        self.port = port
        self.user = user
        self.password = password
    }

    /// Why a text is not a usable proxy address.
    enum Problem: Error, Hashable {
        case malformed
        /// `https://`: the HTTP client does not support TLS to proxies.
        case needsTLS
        /// A SOCKS proxy with authentication, which the HTTP client does not support.
        case needsUser

        var message: String {
            switch self {
            case .malformed: "must be a URL: http://HOST:PORT, or socks5://HOST:PORT without a user"
            case .needsTLS: "proxies over TLS (https://) are not supported: use http:// or socks5://"
            case .needsUser: "SOCKS proxies with authentication are not supported"
            }
        }
    }

    /// Parses `http://user:password@host:3128` or `socks5://host:1080`.
    init(_ text: String) throws(Problem) {
        guard let url = URL(string: text), let scheme = url.scheme?.lowercased(), let host = url.host(percentEncoded: false), host.isHost
        else { throw .malformed }
        let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        let user = url.user(percentEncoded: false)
        let port = url.port ?? (scheme.hasPrefix("socks5") ? 1080 : 80)
        guard 1...65535 ~= port else { throw .malformed }
        switch scheme {
        case "http": self.init(kind: .http, host: bare, port: port, user: user, password: url.password(percentEncoded: false))
        case "https": throw .needsTLS
        case "socks5", "socks5h":
            guard user == nil else { throw .needsUser }
            self.init(kind: .socks5, host: bare, port: port)
        default: throw .malformed
        }
    }

    /// Returns an invalid proxy address for an error message, with `…` in place of anything that is or may be a secret.
    static func withoutSecrets(_ text: String) -> String {
        var rest = text[...]
        var shown = ""
        if let scheme = rest.firstRange(of: "://") {
            shown = String(rest[..<scheme.upperBound])
            rest = rest[scheme.upperBound...]
        }
        if let at = rest.lastIndex(of: "@") {
            shown += "…"
            rest = rest[at...]
        }
        guard let colon = rest.lastIndex(of: ":") else { return shown + rest }
        let port = rest[rest.index(after: colon)...]
        // May be `user:password` without the host; a number above 65535 is a password, not a port.
        let isPassword = !port.isPort || !rest.hasPrefix("@") && Int(port).map { $0 > 65535 } ?? false
        return isPassword ? shown + rest[...colon] + "…" : shown + rest
    }
}

extension Substring {
    /// `3128`, `3128/`, or the end of an IPv6 address in brackets.
    fileprivate var isPort: Bool {
        let text = hasSuffix("/") ? dropLast() : self
        return text.allSatisfy { "0"..."9" ~= $0 } && text.count <= 5 || text.hasSuffix("]")
    }
}

extension ProxyAddress: CustomStringConvertible {
    public var description: String { "\(kind == .http ? "http" : "socks5")://\(ServerAddress.authority(host: host, port: port))" }
}

/// The proxy that the environment specifies for a server: `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, or their lower-case forms if unset.
///
/// The rules are those of client-go: Go's golang.org/x/net/http/httpproxy, through net/http `ProxyFromEnvironment`.
public struct ProxyEnvironment: Sendable {
    private let variables: [String: String]

    public init(_ environment: [String: String]) { variables = environment }

    /// Returns nil for a direct connection.
    ///
    /// Throws if the proxy is unusable; the error names the variable and contains no password. Go connects directly in that case.
    public func proxy(for server: ServerAddress) throws(AccessError) -> ProxyAddress? {
        guard let (name, value) = variable(server.isSecure ? "HTTPS_PROXY" : "HTTP_PROXY") else { return nil }
        // In a CGI program, `HTTP_PROXY` is set from a request header: https://golang.org/s/cgihttpproxy
        if !server.isSecure, isCGI { throw error(name, value, "cannot be used in a CGI environment (REQUEST_METHOD is set)") }
        guard usesProxy(server) else { return nil }
        do {
            return try ProxyAddress(value.contains("://") ? value : "http://\(value)")
        } catch {
            throw self.error(name, value, error.message)
        }
    }

    private func usesProxy(_ server: ServerAddress) -> Bool {
        guard server.host != "localhost", IPAddress(server.host)?.isLoopback != true else { return false }
        return !(variable("NO_PROXY").map { ProxyExceptions($0.value).contain(host: server.host, port: server.port) } ?? false)
    }

    private var isCGI: Bool { variables["REQUEST_METHOD"].map { !$0.isEmpty } ?? false }

    /// An empty variable counts as unset.
    private func variable(_ name: String) -> (name: String, value: String)? {
        [name, name.lowercased()].lazy.compactMap { name in variables[name].map { (name, $0) } }.first { !$0.1.isEmpty }
    }

    private func error(_ name: String, _ value: String, _ message: String) -> AccessError {
        AccessError(source: "environment", field: name, value: ProxyAddress.withoutSecrets(value), message: message)
    }
}

/// The servers that bypass the proxy (`NO_PROXY`): `example.com`, `.example.com`, `*.example.com`, `192.0.2.1`, each with an optional port,
/// `10.0.0.0/8`, or `*` for all.
struct ProxyExceptions: Hashable {
    private enum Entry: Hashable {
        case range(CIDR)
        case address(IPAddress, port: String?)
        /// `.example.com`, with or without the domain's own name.
        case domain(suffix: String, includesItself: Bool, port: String?)
    }

    private var entries: [Entry] = []
    private var matchesAll = false

    /// Parses a comma-separated list; invalid entries are ignored, as in Go.
    init(_ text: String) {
        for word in text.lowercased().split(separator: ",") {
            let word = word.trimmed
            if word == "*" { matchesAll = true }
            if let entry = ProxyExceptions.entry(word) { entries.append(entry) }
        }
    }

    func contain(host: String, port: Int) -> Bool {
        if matchesAll { return true }
        let host = host.lowercased()
        let address = IPAddress(host)
        return entries.contains { entry in
            switch entry {
            case .range(let range): return address.map(range.contains) ?? false
            case .address(let other, let entryPort): return address == other && (entryPort == nil || entryPort == "\(port)")
            case .domain(let suffix, let includesItself, let entryPort):
                // An address does not match a domain, and neither does one with a zone.
                guard address == nil, !host.contains(":"), entryPort == nil || entryPort == "\(port)" else { return false }
                return host.hasSuffix(suffix) || includesItself && host == suffix.dropFirst()
            }
        }
    }

    private static func entry(_ word: String) -> Entry? {
        if let range = CIDR(word) { return .range(range) }
        let (host, port) = split(word)
        if let address = IPAddress(host) { return .address(address, port: port) }
        let domain = host.hasPrefix("*.") ? host.dropFirst() : host
        guard let first = domain.first else { return nil }
        return first == "."
            ? .domain(suffix: String(domain), includesItself: false, port: port)
            : .domain(suffix: ".\(domain)", includesItself: true, port: port)
    }

    /// Splits `host:port` or `[IPv6]:port`; anything else is a host, including any brackets.
    private static func split(_ word: String) -> (host: Substring, port: String?) {
        guard let colon = word.lastIndex(of: ":") else { return (word[...], nil) }
        let port = String(word[word.index(after: colon)...])
        let host = word[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { return (host.dropFirst().dropLast(), port.isEmpty ? nil : port) }
        return host.contains(":") ? (word[...], nil) : (host, port.isEmpty ? nil : port)
    }
}

public enum HTTPProxyKind: Hashable, Sendable {
    /// HTTP CONNECT.
    case http
    /// The proxy resolves the server's name, with `socks5://` as with `socks5h://`, as in client-go.
    case socks5
}
