internal import FoundationEssentials

/// A proxy on the way to the API server (`clusters[].cluster.proxy-url`, or of the environment).
public struct ProxyAddress: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// HTTP CONNECT.
        case http
        /// The name of the server is the proxy's to resolve, with `socks5://` as with `socks5h://`: so it is for client-go.
        case socks5
    }

    public var kind: Kind
    public var host: String
    public var port: Int
    /// `Proxy-Authorization: Basic` of an HTTP proxy.
    public var user: String?
    public var password: String?

    public init(kind: Kind, host: String, port: Int, user: String? = nil, password: String? = nil) {
        self.kind = kind
        self.host = host
        self.port = port
        self.user = user
        self.password = password
    }

    /// Why a text names no proxy that can be used.
    enum Problem: Error, Hashable {
        case malformed
        /// `https://`: the HTTP client speaks to proxies without TLS.
        case needsTLS
        /// A SOCKS proxy that asks who one is: the HTTP client has no answer.
        case needsUser

        var message: String {
            switch self {
            case .malformed: "must be a URL: http://HOST:PORT, or socks5://HOST:PORT without a user"
            case .needsTLS: "a proxy that is spoken to over TLS (https://) is not supported: use http:// or socks5://"
            case .needsUser: "a SOCKS proxy that asks for a user is not supported"
            }
        }
    }

    /// Reads `http://user:password@host:3128` or `socks5://host:1080`.
    init(_ text: String) throws(Problem) {
        guard let url = URL(string: text), let scheme = url.scheme?.lowercased(), let host = url.host(percentEncoded: false), !host.isEmpty
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

    /// A text that should name a proxy, for people to read: `…` stands for what is or may be a secret.
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
        // `user:password` of which the host was forgotten; the password may be a number, and is one if it is no port.
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
