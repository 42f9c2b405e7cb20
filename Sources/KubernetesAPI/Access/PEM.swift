/// Text armour of certificates and keys (RFC 7468).
enum PEM {
    private static let marker = Array("-----BEGIN ".utf8)

    /// Whether there is anything in PEM in some bytes at all.
    static func isIn(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= marker.count else { return false }
        return bytes.indices.contains { bytes[$0...].starts(with: marker) }
    }
}
