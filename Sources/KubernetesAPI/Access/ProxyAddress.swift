internal import FoundationEssentials

/// A proxy on the way to the API server (`clusters[].cluster.proxy-url`).
public struct ProxyAddress: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// HTTP CONNECT.
        case http
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

    /// Reads `http://user:password@host:3128` or `socks5://host:1080`; nil for anything else, a proxy spoken to over TLS included.
    public init?(_ text: String) {
        guard let url = URL(string: text), let host = url.host(percentEncoded: false), !host.isEmpty else { return nil }
        let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        let user = url.user(percentEncoded: false)
        let password = url.password(percentEncoded: false)
        switch url.scheme?.lowercased() {
        case "http": self.init(kind: .http, host: bare, port: url.port ?? 80, user: user, password: password)
        // A SOCKS proxy that asks who one is cannot be spoken to.
        case "socks5" where user == nil: self.init(kind: .socks5, host: bare, port: url.port ?? 1080)
        default: return nil
        }
    }
}

extension ProxyAddress: CustomStringConvertible {
    public var description: String { "\(kind == .http ? "http" : "socks5")://\(ServerAddress.authority(host: host, port: port))" }
}
