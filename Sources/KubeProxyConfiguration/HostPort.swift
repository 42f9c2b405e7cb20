internal import Model

/// An address with a port behind a colon, as text: `10.0.0.1:80`, `[fd00::1]:80`.
struct HostPort: Hashable {
    var host: String
    /// As it is written: a number if it is right.
    var port: String

    /// Parts text as Go's `net.SplitHostPort` does; nil where it is not of this form.
    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let front = text[..<colon]
        port = String(text[text.index(after: colon)...])
        if front.hasPrefix("[") {
            guard front.hasSuffix("]") else { return nil }
            host = String(front.dropFirst().dropLast())
        } else {
            host = String(front)
            guard !host.contains(":") else { return nil }
        }
        guard !host.contains(where: { $0 == "[" || $0 == "]" }), !port.contains(where: { $0 == "[" || $0 == "]" }) else { return nil }
    }

    /// 1…65535; nil for anything else.
    var portNumber: UInt16? { UInt16(port).flatMap { $0 > 0 ? $0 : nil } }

    /// The text with a port if it is an address without one; anything else stays as it is, for validation to see.
    static func appending(_ port: Int32, to text: String) -> String {
        guard HostPort(text) == nil, let address = IPAddress(text) else { return text }
        return address.family == .ipv4 ? "\(text):\(port)" : "[\(text)]:\(port)"
    }
}
