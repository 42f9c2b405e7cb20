/// How to reach the API server (`clientConnection` of KubeProxyConfiguration, and `--master`).
public struct ClientConnection: Hashable, Sendable {
    /// The path of a kubeconfig; empty for none. With `master` empty too, this is a pod of the cluster.
    public var kubeconfig: String
    /// A URL that counts more than the kubeconfig's server; empty for none.
    public var master: String
    /// One of `contentTypes`.
    public var contentType: String
    /// An `Accept` header to use as it is; empty to derive it from `contentType`.
    public var acceptContentTypes: String
    /// Requests a second in the long run; below 0 for no limit, 0 for the default of 5.
    public var qps: Double
    /// Requests at once; 0 for the default of 10.
    public var burst: Int

    public init(
        kubeconfig: String = "", master: String = "", contentType: String = ClientConnection.protobuf, acceptContentTypes: String = "",
        qps: Double = 5, burst: Int = 10
    ) {
        self.kubeconfig = kubeconfig
        self.master = master
        self.contentType = contentType
        self.acceptContentTypes = acceptContentTypes
        self.qps = qps
        self.burst = burst
    }

    public static let protobuf = "application/vnd.kubernetes.protobuf"
    public static let contentTypes = [protobuf, "application/json"]
}
