internal import FoundationEssentials
internal import NIOSSL

/// Trust anchors as in a certificate pool of Go's crypto/x509: every authority is an anchor, so that an intermediate authority needs no
/// root.
///
/// BoringSSL ends a chain at a certificate that is not self-signed only if it is marked as trusted for servers (crypto/x509/x509_vfy.cc
/// `check_trust`, x509_trs.cc `X509_check_trust`). BoringSSL verifies the chain below an anchor, but checks neither the anchor's validity
/// dates nor whether it is an authority and for which purpose: this type does. The path length of an anchor is not checked, as for a root.
struct TrustAnchors {
    /// The certificates that are valid at the time; all if none is, so that the error is about their dates.
    let certificates: [NIOSSLCertificate]
    /// The period in which the same certificates are valid, in seconds since 1970.
    let validity: Range<Int>

    /// - Parameter now: seconds since 1970.
    init(_ bundle: [NIOSSLCertificate], at now: Int) throws {
        let dates = bundle.flatMap { [$0.notValidBefore, $0.notValidAfter + 1] }
        validity = (dates.filter { $0 <= now }.max() ?? .min)..<(dates.filter { $0 > now }.min() ?? .max)
        let valid = bundle.filter { $0.notValidBefore <= now && now <= $0.notValidAfter }
        certificates = try valid.isEmpty ? bundle : valid.flatMap(TrustAnchors.marked)
        guard !certificates.isEmpty else { throw NoAuthority() }
    }

    /// All certificates are for another purpose.
    struct NoAuthority: Error, CustomStringConvertible {
        let description = "it contains no CA certificate for server authentication"
    }

    /// `X509_CERT_AUX` (crypto/x509/x_x509a.cc) with `serverAuth` as the only purpose in `trust`.
    private static let trustedForServers: [UInt8] = [0x30, 0x0c, 0x30, 0x0a, 0x06, 0x08] + CertificateExtensions.serverAuth

    private static func marked(_ certificate: NIOSSLCertificate) throws -> [NIOSSLCertificate] {
        let bytes = try certificate.toDERBytes()
        guard let extensions = CertificateExtensions(of: bytes) else { return [certificate] }
        // BoringSSL would accept it in a chain below another anchor, where it does not check the purpose.
        guard extensions.isForServers, extensions.isAuthority || extensions.isSelfIssued else { return [] }
        // A root needs no mark, and a server's own certificate must not have one.
        guard extensions.isAuthority else { return [certificate] }
        // `fromPEMBytes` reads the mark of only the first certificate in a text (`PEM_read_bio_X509_AUX`): each certificate needs its own
        // text.
        let base64 = Data(bytes + trustedForServers).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
        let text = "-----BEGIN TRUSTED CERTIFICATE-----\n\(base64)\n-----END TRUSTED CERTIFICATE-----\n"
        return try NIOSSLCertificate.fromPEMBytes(Array(text.utf8))
    }
}
