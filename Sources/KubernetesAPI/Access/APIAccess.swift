internal import Text

/// The address, TLS settings, proxy and credentials for connecting to an API server.
public struct APIAccess: Hashable, Sendable {
    public var server: ServerAddress
    /// The certificate authorities that verify the server; nil for the system's.
    public var certificateAuthority: PEMSource?
    /// Whether to skip verification of the server's certificate; true only with `insecure-skip-tls-verify: true`.
    public var skipsVerification: Bool
    /// The name to verify the server's certificate against, if it is not the host of the address.
    public var tlsServerName: String?
    public var proxy: ProxyAddress?
    public var clientCertificate: PEMSource?
    public var clientKey: PEMSource?
    public var authentication: Authentication

    public init(
        server: ServerAddress, certificateAuthority: PEMSource? = nil, skipsVerification: Bool = false, tlsServerName: String? = nil,
        proxy: ProxyAddress? = nil, clientCertificate: PEMSource? = nil, clientKey: PEMSource? = nil,
        authentication: Authentication = .none
    ) {
        self.server = server
        self.certificateAuthority = certificateAuthority
        self.skipsVerification = skipsVerification
        self.tlsServerName = tlsServerName
        self.proxy = proxy
        self.clientCertificate = clientCertificate
        self.clientKey = clientKey
        self.authentication = authentication
    }

    /// Resolves access as kube-proxy does: from `--kubeconfig`, from `--master`, from both (`--master` overrides the kubeconfig's server),
    /// or, with neither, from the in-cluster configuration. The proxy is the kubeconfig's, else that of the environment.
    public static func find(
        kubeconfig: String?, master: String?, environment: [String: String], serviceAccount: String = InCluster.serviceAccount
    ) throws(AccessError) -> APIAccess {
        var access = try configured(
            kubeconfig: kubeconfig, master: master, environment: environment, serviceAccount: serviceAccount)
        if access.proxy == nil { access.proxy = try ProxyEnvironment(environment).proxy(for: access.server) }
        return access
    }

    private static func configured(
        kubeconfig: String?, master: String?, environment: [String: String], serviceAccount: String
    ) throws(AccessError) -> APIAccess {
        let kubeconfig = kubeconfig.flatMap { $0.isEmpty ? nil : $0 }
        let master = master.flatMap { $0.isEmpty ? nil : $0 }
        if let kubeconfig { return try Kubeconfig(file: kubeconfig).access(master: master) }
        guard let master else { return try InCluster.access(environment: environment, serviceAccount: serviceAccount) }
        guard let server = ServerAddress(master, defaultsToTLS: false) else {
            throw AccessError(source: "--master", value: master, message: "must be a URL: https://HOST:PORT")
        }
        return APIAccess(server: server)
    }
}

/// The certificates and key of a TLS connection, as bytes; equal material needs no new connection.
struct TLSMaterial: Hashable, Sendable {
    /// PEM of the certificate authorities; nil for the system's.
    var authorities: [UInt8]?
    /// PEM of the client certificate followed by its chain, and of its key.
    var certificate: [UInt8]?
    var key: [UInt8]?
}

/// An error in the configuration of API access, found before any request is sent: the source, the field and what is wrong.
public struct AccessError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The input with the error: `kubeconfig /etc/kubeconfig`, `environment`, `file /var/run/…/token`.
    public var source: String
    /// The field at fault, if any: `contexts[0].context.cluster`.
    public var field: String?
    /// The value of the field, unless it is a secret.
    public var value: String?
    public var message: String

    public init(source: String, field: String? = nil, value: String? = nil, message: String) {
        self.source = source
        self.field = field
        self.value = value
        self.message = message
    }

    /// One line: `kubeconfig /x: contexts[0].context.cluster "a": no such cluster`.
    public var description: String {
        let place = [field, value.map { "\"\($0)\"" }].compactMap(\.self).joined(separator: " ")
        return [source, place, message].filter { !$0.isEmpty }.joined(separator: ": ").printable()
    }
}
