/// Text armour of certificates and keys (RFC 7468).
enum PEM {
    private static let marker = Array("-----BEGIN ".utf8)

    /// Whether there is anything in PEM in some bytes at all.
    static func isIn(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= marker.count else { return false }
        return bytes.indices.contains { bytes[$0...].starts(with: marker) }
    }
}

/// Where certificates or a key in PEM come from.
public enum PEMSource: Hashable, Sendable {
    /// A file, read again as it is replaced.
    case file(String)
    /// The text itself.
    case data([UInt8])
}

extension PEMSource: CustomStringConvertible {
    /// The data may be a key and is not shown.
    public var description: String {
        switch self {
        case .file(let path): path
        case .data(let bytes): "\(bytes.count) bytes"
        }
    }
}
