/// What a TLS connection is set up with, as bytes: two that are equal need no new connection.
struct TLSMaterial: Hashable, Sendable {
    /// PEM of the certificate authorities; nil for those of the system.
    var authorities: [UInt8]?
    /// PEM of the client's certificate, its chain behind it, and of the key.
    var certificate: [UInt8]?
    var key: [UInt8]?
}
