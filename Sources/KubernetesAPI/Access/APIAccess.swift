/// Everything needed to reach an API server and to be let in.
public struct APIAccess: Hashable, Sendable {
    public var server: ServerAddress
    /// Which certificate authorities vouch for the server; nil for those of the system.
    public var certificateAuthority: PEMSource?
    /// Whether the server's certificate goes unverified; only ever because someone wrote `insecure-skip-tls-verify: true`.
    public var skipsVerification: Bool
    /// The name the server's certificate is checked for, where it is not the host of its address.
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

    /// Finds the way as kube-proxy does: by `--kubeconfig`, by `--master`, by both (the kubeconfig with another server), or, with neither, as
    /// a pod of the cluster. The proxy is the kubeconfig's, else that of the environment.
    public static func find(
        kubeconfig: String?, master: String?, environment: [String: String], serviceAccount: String = InCluster.serviceAccount
    ) throws(AccessError) -> APIAccess {
        var access = try described(
            kubeconfig: kubeconfig, master: master, environment: environment, serviceAccount: serviceAccount)
        if access.proxy == nil { access.proxy = try ProxyEnvironment(environment).proxy(for: access.server) }
        return access
    }

    private static func described(
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

/// What a TLS connection is set up with, as bytes: two that are equal need no new connection.
struct TLSMaterial: Hashable, Sendable {
    /// PEM of the certificate authorities; nil for those of the system.
    var authorities: [UInt8]?
    /// PEM of the client's certificate, its chain behind it, and of the key.
    var certificate: [UInt8]?
    var key: [UInt8]?
}

/// What keeps this program from reaching the API server, found before anything was sent: which file, which field of it, and what is wrong.
public struct AccessError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Where the mistake is: `kubeconfig /etc/kubeconfig`, `environment`, `file /var/run/…/token`.
    public var source: String
    /// The field, if one is to blame: `contexts[0].context.cluster`.
    public var field: String?
    /// What stands in the field, unless it is a secret.
    public var value: String?
    /// What is wrong.
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
        return [source, place, message].filter { !$0.isEmpty }.joined(separator: ": ")
    }
}
