internal import FoundationEssentials

/// The address of the API server: `https://10.0.0.1:6443`, with a path prefix if it is behind a proxy.
public struct ServerAddress: Hashable, Sendable, CustomStringConvertible {
    public var isSecure: Bool
    /// A name or an address; IPv6 without brackets.
    public var host: String
    public var port: Int
    /// Empty, or with a leading and without a trailing slash.
    public var path: String

    public init(isSecure: Bool, host: String, port: Int, path: String = "") {
        self.isSecure = isSecure
        self.host = host
        self.port = port
        self.path = path
    }

    /// Parses `https://host:6443/path`. Without a scheme (`host:6443`), `defaultsToTLS` selects it, as in kubectl.
    ///
    /// Returns nil if the address is invalid.
    public init?(_ text: String, defaultsToTLS: Bool = true) {
        let isComplete = text.contains("://")
        guard let url = URL(string: isComplete ? text : (defaultsToTLS ? "https://" : "http://") + text),
            let scheme = url.scheme?.lowercased(), scheme == "https" || scheme == "http",
            let host = url.host(percentEncoded: false), host.isHost,
            url.query() == nil, url.fragment() == nil, url.user() == nil
        else { return nil }
        let port = url.port ?? (scheme == "https" ? 443 : 80)
        guard 1...65535 ~= port else { return nil }
        var path = url.path(percentEncoded: true)
        while path.hasSuffix("/") { path.removeLast() }
        self.init(isSecure: scheme == "https", host: host.trimming("[", "]"), port: port, path: path)
    }

    /// The host and port as in a `Host` header and a URL: `10.0.0.1:6443`, `[fd00::1]:6443`.
    public var authority: String { ServerAddress.authority(host: host, port: port) }

    static func authority(host: String, port: Int) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    public var description: String { "\(isSecure ? "https" : "http")://\(authority)\(path)" }
}

extension String {
    /// Whether it can be the host of requests: percent-encoding may hide characters that end a line, or are another part of a URL.
    var isHost: Bool {
        // A zone follows an address of IPv6.
        let forbidden = Set(("/?#@\\\"<>^`{|}" + (contains(":") ? "" : "%")).utf8)
        return !isEmpty && utf8.allSatisfy { $0 > UInt8(ascii: " ") && $0 != 0x7f && !forbidden.contains($0) }
    }

    fileprivate func trimming(_ first: Character, _ last: Character) -> String {
        guard self.first == first, self.last == last else { return self }
        return String(dropFirst().dropLast())
    }
}
