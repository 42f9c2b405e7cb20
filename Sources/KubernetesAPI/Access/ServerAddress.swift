internal import FoundationEssentials

/// Where the API server is: `https://10.0.0.1:6443`, with a path in front of every request's where it stands behind a proxy.
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

    /// Reads `https://host:6443/path`; without a scheme (`host:6443`) `defaultsToTLS` says which is meant, as for kubectl.
    ///
    /// Nil where the text is no such thing.
    public init?(_ text: String, defaultsToTLS: Bool = true) {
        let isComplete = text.contains("://")
        guard let url = URL(string: isComplete ? text : (defaultsToTLS ? "https://" : "http://") + text),
            let scheme = url.scheme?.lowercased(), scheme == "https" || scheme == "http",
            let host = url.host(percentEncoded: false), !host.isEmpty,
            url.query() == nil, url.fragment() == nil, url.user() == nil
        else { return nil }
        let port = url.port ?? (scheme == "https" ? 443 : 80)
        guard 1...65535 ~= port else { return nil }
        var path = url.path(percentEncoded: true)
        while path.hasSuffix("/") { path.removeLast() }
        self.init(isSecure: scheme == "https", host: host.trimming("[", "]"), port: port, path: path)
    }

    /// What stands in a `Host` header and in a URL: `10.0.0.1:6443`, `[fd00::1]:6443`.
    public var authority: String { ServerAddress.authority(host: host, port: port) }

    static func authority(host: String, port: Int) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    public var description: String { "\(isSecure ? "https" : "http")://\(authority)\(path)" }
}

extension String {
    fileprivate func trimming(_ first: Character, _ last: Character) -> String {
        guard self.first == first, self.last == last else { return self }
        return String(dropFirst().dropLast())
    }
}
