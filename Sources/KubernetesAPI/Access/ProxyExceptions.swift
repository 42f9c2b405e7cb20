internal import Model
internal import Text

/// The servers that are reached without a proxy (`NO_PROXY`): `example.com`, `.example.com`, `*.example.com`, `192.0.2.1`, `10.0.0.0/8`, each but the last
/// with a port where only that port is meant, or `*` for all.
struct ProxyExceptions: Hashable {
    private enum Entry: Hashable {
        case range(CIDR)
        case address(IPAddress, port: String?)
        /// `.example.com`; with the domain's own name or without.
        case domain(suffix: String, includesItself: Bool, port: String?)
    }

    private var entries: [Entry] = []
    private var isEverything = false

    /// Takes words with commas between them; those that mean nothing are passed over, as in Go.
    init(_ text: String) {
        for word in text.lowercased().split(separator: ",") {
            let word = word.trimmed
            if word == "*" { isEverything = true }
            if let entry = ProxyExceptions.entry(word) { entries.append(entry) }
        }
    }

    func contain(host: String, port: Int) -> Bool {
        if isEverything { return true }
        let host = host.lowercased()
        let address = IPAddress(host)
        return entries.contains { entry in
            switch entry {
            case .range(let range): return address.map(range.contains) ?? false
            case .address(let other, let itsPort): return address == other && (itsPort == nil || itsPort == "\(port)")
            case .domain(let suffix, let includesItself, let itsPort):
                // An address is no name, nor is one with a zone.
                guard address == nil, !host.contains(":"), itsPort == nil || itsPort == "\(port)" else { return false }
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

    /// `host:port` or `[IPv6]:port`; anything else is a host, brackets and all.
    private static func split(_ word: String) -> (host: Substring, port: String?) {
        guard let colon = word.lastIndex(of: ":") else { return (word[...], nil) }
        let port = String(word[word.index(after: colon)...])
        let host = word[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { return (host.dropFirst().dropLast(), port.isEmpty ? nil : port) }
        return host.contains(":") ? (word[...], nil) : (host, port.isEmpty ? nil : port)
    }
}
