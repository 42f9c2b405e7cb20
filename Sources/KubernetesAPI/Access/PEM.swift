/// The PEM encoding of certificates and keys (RFC 7468).
enum PEM {
    private static let marker = Array("-----BEGIN ".utf8)

    /// Whether the bytes contain a PEM block.
    static func isIn(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= marker.count else { return false }
        return bytes.indices.contains { bytes[$0...].starts(with: marker) }
    }
}

/// The source of certificates or a key in PEM.
public enum PEMSource: Hashable, Sendable {
    /// A file, which is reread periodically.
    case file(String)
    /// The PEM data itself.
    case data([UInt8])
}

extension PEMSource: CustomStringConvertible {
    /// Omits the data, as it may be a key.
    public var description: String {
        switch self {
        case .file(let path): path
        case .data(let bytes): "\(bytes.count) bytes"
        }
    }
}
