internal import FoundationEssentials
internal import NIOSSL

/// Certificates of which each authority's is a trust anchor, as in a certificate pool of Go's crypto/x509: an intermediate authority needs no root.
///
/// BoringSSL ends a chain at a certificate that is not self-signed only where that one is marked as trusted for servers (crypto/x509/x509_vfy.cc
/// `check_trust`, x509_trs.cc `X509_check_trust`). The chain below an anchor is BoringSSL's to check, as ever. At an anchor, it does not look at the dates,
/// nor whether it is an authority and for what: that is done here. A path length of the anchor itself does not count, as a root's never did.
struct TrustAnchors {
    /// Those that are good at the time; all where none is, so that the error is about dates.
    let certificates: [NIOSSLCertificate]
    /// From when to when the same certificates are good, in seconds since 1970.
    let validity: Range<Int>

    /// - Parameter now: seconds since 1970.
    init(_ bundle: [NIOSSLCertificate], at now: Int) throws {
        let dates = bundle.flatMap { [$0.notValidBefore, $0.notValidAfter + 1] }
        validity = (dates.filter { $0 <= now }.max() ?? .min)..<(dates.filter { $0 > now }.min() ?? .max)
        let good = bundle.filter { $0.notValidBefore <= now && now <= $0.notValidAfter }
        certificates = try good.isEmpty ? bundle : good.flatMap(TrustAnchors.marked)
        guard !certificates.isEmpty else { throw NoAuthority() }
    }

    /// The certificates are all for something else.
    struct NoAuthority: Error, CustomStringConvertible {
        let description = "it contains no CA certificate for server authentication"
    }

    /// `X509_CERT_AUX` (crypto/x509/x_x509a.cc) whose `trust` is the one purpose `serverAuth`.
    private static let trustedForServers: [UInt8] = [0x30, 0x0c, 0x30, 0x0a, 0x06, 0x08] + CertificateExtensions.serverAuth

    private static func marked(_ certificate: NIOSSLCertificate) throws -> [NIOSSLCertificate] {
        let bytes = try certificate.toDERBytes()
        guard let extensions = CertificateExtensions(of: bytes) else { return [certificate] }
        // BoringSSL would let it stand in a chain below another anchor, and does not look at its purpose there.
        guard extensions.isForServers, extensions.isAuthority || extensions.isSelfIssued else { return [] }
        // A root needs no mark, and a server's own certificate must not have one.
        guard extensions.isAuthority else { return [certificate] }
        // Of a text `fromPEMBytes` reads the first certificate with its mark (`PEM_read_bio_X509_AUX`), the others without: a text each.
        let base64 = Data(bytes + trustedForServers).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
        let text = "-----BEGIN TRUSTED CERTIFICATE-----\n\(base64)\n-----END TRUSTED CERTIFICATE-----\n"
        return try NIOSSLCertificate.fromPEMBytes(Array(text.utf8))
    }
}
