internal import Model

/// The text of an address and a port: `10.0.0.1:80`, `[fd00::1]:80`.
struct HostPort: Hashable {
    var host: String
    /// The port as written; a number if valid.
    var port: String

    /// Splits text as Go's `net.SplitHostPort` does; nil if it does not have this form.
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

    /// The port, 1…65535; nil if it is invalid.
    var portNumber: UInt16? { UInt16(port).flatMap { $0 > 0 ? $0 : nil } }

    /// Appends a port to an address without one; returns anything else unchanged, for validation.
    static func appending(_ port: Int32, to text: String) -> String {
        guard HostPort(text) == nil, let address = IPAddress(text) else { return text }
        return address.family == .ipv4 ? "\(text):\(port)" : "[\(text)]:\(port)"
    }
}
