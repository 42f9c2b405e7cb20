internal import Model
internal import NIOSSL

/// Whom a server's certificate has to be for: `tls-server-name`, else the host of the server's address.
///
/// The rules are those of Go's crypto/x509 (`VerifyHostname`), as client-go has them: subject alternative names only, and an address never stands for a name.
/// NIOSSL would also take a certificate for the address that the connection leads to, which behind a proxy is the proxy's.
enum ServerIdentity: Hashable, Sendable {
    case address(IPAddress)
    /// In lower case, without a dot at its end.
    case name(String)

    init(_ text: String) {
        if let address = IPAddress(text) {
            self = .address(address)
        } else {
            let name = text.lowercased()
            self = .name(name.hasSuffix(".") ? String(name.dropLast()) : name)
        }
    }

    /// A name that a certificate is for.
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

    /// The certificate is somebody else's.
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

    /// An asterisk stands for the whole first label of a name, and nothing else.
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
