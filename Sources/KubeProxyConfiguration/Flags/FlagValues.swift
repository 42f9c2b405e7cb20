/// Flags as they were given, before anything is made of them; nil for those that were not.
public struct FlagValues: Hashable, Sendable {
    // This program's own.
    public var manifests: String?
    public var drainTimeout = "15m"
    public var iptablesBackend = "auto"
    public var serviceClusterIPRange = "10.96.0.0/12"
    public var stateDirectory = "/run/kube-ipvs-proxy"
    public var localhostNodePorts = false
    public var metricsPerService = "service"
    public var metricsPerServiceLimit = 100
    public var externalIPCIDRs: [String] = []
    public var otherNodeAddresses = "auto"

    // kube-proxy's, by its names.
    public var proxyMode: String?
    public var kubeconfig: String?
    public var master = ""
    public var kubeAPIContentType: String?
    public var kubeAPIQPS: Float?
    public var kubeAPIBurst: Int32?
    public var hostnameOverride: String?
    public var bindAddress: String?
    public var healthzBindAddress: String?
    public var metricsBindAddress: String?
    public var healthzPort: Int32?
    public var metricsPort: Int32?
    public var bindAddressHardFail: Bool?
    public var profiling: Bool?
    public var showHiddenMetricsForVersion: String?
    public var clusterCIDR: String?
    public var configSyncPeriod: GoDuration?
    public var detectLocalMode: String?
    public var podBridgeInterface: String?
    public var podInterfaceNamePrefix: String?
    public var nodePortAddresses: [String]?
    /// Lists of `Gate=bool`.
    public var featureGates: [String]?
    public var masqueradeAll: Bool?
    public var masqueradeBit: Int32?
    public var iptablesLocalhostNodePorts: Bool?
    public var ipvsScheduler: String?
    public var ipvsSyncPeriod: GoDuration?
    public var ipvsMinSyncPeriod: GoDuration?
    public var ipvsExcludeCIDRs: [String]?
    public var ipvsStrictARP: Bool?
    public var ipvsTCPTimeout: GoDuration?
    public var ipvsTCPFinTimeout: GoDuration?
    public var ipvsUDPTimeout: GoDuration?
    public var oomScoreAdj: Int32?
    public var conntrack = Conntrack()
    public var logging = Logging()

    /// `--conntrack-…`.
    public struct Conntrack: Hashable, Sendable {
        public var maxPerCore: Int32?
        public var min: Int32?
        public var tcpTimeoutEstablished: GoDuration?
        public var tcpTimeoutCloseWait: GoDuration?
        public var tcpBeLiberal: Bool?
        public var udpTimeout: GoDuration?
        public var udpTimeoutStream: GoDuration?
    }

    /// Those that count even beside a file.
    public struct Logging: Hashable, Sendable {
        public var v: UInt32?
        /// `pattern=N,…`.
        public var vmodule: String?
        public var format: String?
        public var flushFrequency: GoDuration?
        public var textSplitStream: Bool?
        public var textInfoBufferSize: String?
        public var jsonSplitStream: Bool?
        public var jsonInfoBufferSize: String?
    }

    public init() {}
}
