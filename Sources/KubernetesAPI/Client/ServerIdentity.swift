internal import Model
internal import NIOSSL

/// The identity that a server's certificate must have: `tls-server-name`, else the host of the server's address.
///
/// The rules are those of Go's crypto/x509 (`VerifyHostname`), as in client-go: subject alternative names only, and an address never
/// matches a name. NIOSSL would also accept a certificate for the address of the peer, which behind a proxy is the proxy's.
enum ServerIdentity: Hashable, Sendable {
    case address(IPAddress)
    /// In lower case, without a trailing dot.
    case name(String)

    init(_ text: String) {
        if let address = IPAddress(text) {
            self = .address(address)
        } else {
            let name = text.lowercased()
            self = .name(name.hasSuffix(".") ? String(name.dropLast()) : name)
        }
    }

    /// A subject alternative name of a certificate.
    enum Subject: Hashable, CustomStringConvertible {
        case address(IPAddress)
        /// `api.example.com`, `*.example.com`
        case name(String)

        var description: String {
            switch self {
            case .address(let address): "\(address)"
            case .name(let name): name
            }
        }
    }

    /// The certificate is for another server.
    struct Mismatch: Error, Hashable, CustomStringConvertible {
        var expected: ServerIdentity
        var found: [Subject]

        var description: String {
            let names = found.isEmpty ? "no name at all" : found.map(\.description).joined(separator: ", ")
            return switch expected {
            case .address(let address): "the server's certificate is for \(names), not for \(address)"
            case .name(let name): "the server's certificate is for \(names), not for \(name)"
            }
        }
    }

    func check(_ certificate: NIOSSLCertificate) throws(Mismatch) {
        let subjects = certificate._subjectAlternativeNames().compactMap { name -> Subject? in
            switch name.nameType {
            case .ipAddress: IPAddress(bytes: Array(name.contents)).map(Subject.address)
            case .dnsName: String(validating: Array(name.contents), as: UTF8.self).map(Subject.name)
            default: nil
            }
        }
        guard subjects.contains(where: matches) else { throw Mismatch(expected: self, found: subjects) }
    }

    /// Whether a name of a certificate matches; an asterisk stands for the complete first label and nothing else.
    func matches(_ subject: Subject) -> Bool {
        switch (self, subject) {
        case (.address(let expected), .address(let found)): return expected == found
        case (.name(let expected), .name(let found)):
            let labels = expected.split(separator: ".", omittingEmptySubsequences: false)
            let pattern = found.lowercased().split(separator: ".", omittingEmptySubsequences: false)
            guard labels.count == pattern.count, labels.allSatisfy({ !$0.isEmpty }) else { return false }
            return labels.dropFirst() == pattern.dropFirst() && (labels.first == pattern.first || pattern.first == "*" && pattern.count > 1)
        default: return false
        }
    }
}

/// The uses that a certificate permits by its extensions (RFC 5280 §4.2.1).
struct CertificateExtensions: Hashable {
    /// `basicConstraints` with `cA`.
    var isAuthority = false
    /// Has no `extendedKeyUsage`, or one with `serverAuth` or `anyExtendedKeyUsage`.
    var isForServers = true

    /// Whether issuer and subject are the same, as in a root certificate.
    var isSelfIssued = false

    /// `id-kp-serverAuth`, 1.3.6.1.5.5.7.3.1
    static let serverAuth: [UInt8] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01]
    /// `anyExtendedKeyUsage`, 2.5.29.37.0
    private static let anyUsage: [UInt8] = [0x55, 0x1d, 0x25, 0x00]
    private static let basicConstraints: [UInt8] = [0x55, 0x1d, 0x13]
    private static let extendedKeyUsage: [UInt8] = [0x55, 0x1d, 0x25]

    /// Parses a certificate in DER; nil if it is malformed.
    init?(of bytes: [UInt8]) {
        // Certificate { tbsCertificate { …, [3] { SEQUENCE OF Extension } }, … }
        guard let certificate = DERElement.all(in: bytes[...])?.first, let signed = certificate.children?.first,
            let fields = signed.children
        else { return nil }
        // { [0] version, serialNumber, signature, issuer, validity, subject, … }
        let names = fields.drop { $0.tag == 0xa0 }.dropFirst(2).prefix(3)
        if names.count == 3, let issuer = names.first, let subject = names.last {
            isSelfIssued = issuer.content.elementsEqual(subject.content)
        }
        guard let wrapped = fields.first(where: { $0.tag == 0xa3 }) else { return }
        guard let list = wrapped.children?.first?.children else { return nil }
        for element in list {
            // Extension { OBJECT IDENTIFIER, [BOOLEAN], OCTET STRING }
            guard let parts = element.children, let name = parts.first, let value = parts.last,
                let content = DERElement.all(in: value.content)?.first?.children
            else { continue }
            switch Array(name.content) {
            case CertificateExtensions.basicConstraints:
                isAuthority = content.first.map { $0.tag == 0x01 && $0.content.first == 0xff } ?? false
            case CertificateExtensions.extendedKeyUsage:
                isForServers = content.contains {
                    [CertificateExtensions.serverAuth, CertificateExtensions.anyUsage].contains(Array($0.content))
                }
            default: break
            }
        }
    }
}

/// A DER value (X.690 §8.1): a one-byte tag, a length, and the content.
private struct DERElement {
    var tag: UInt8
    var content: ArraySlice<UInt8>

    var children: [DERElement]? { DERElement.all(in: content) }

    /// Parses consecutive values; nil if the bytes are malformed.
    static func all(in bytes: ArraySlice<UInt8>) -> [DERElement]? {
        var rest = bytes
        var elements: [DERElement] = []
        while !rest.isEmpty {
            guard let tag = rest.popFirst(), tag & 0x1f != 0x1f, let first = rest.popFirst() else { return nil }
            var length = Int(first)
            if first >= 0x80 {
                let count = Int(first & 0x7f)
                guard 1...4 ~= count, rest.count >= count else { return nil }
                length = rest.prefix(count).reduce(0) { $0 << 8 | Int($1) }
                rest = rest.dropFirst(count)
            }
            guard length <= rest.count else { return nil }
            elements.append(DERElement(tag: tag, content: rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        return elements
    }
}
