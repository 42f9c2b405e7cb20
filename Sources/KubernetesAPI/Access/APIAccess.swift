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
