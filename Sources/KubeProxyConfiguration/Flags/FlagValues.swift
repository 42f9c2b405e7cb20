/// Flags as they were given, before anything is made of them: kube-proxy's names and defaults.
public struct FlagValues: Hashable, Sendable {
    public var manifests: String?
    public var kubeconfig = ""
    public var master = ""
    public var kubeAPIContentType = ClientConnection.protobuf
    public var kubeAPIQPS = 5.0
    public var kubeAPIBurst = 10
    public var hostnameOverride: String?
    public var clusterCIDR = ""
    public var ipvsScheduler = ""
    public var ipvsSyncPeriod = "30s"
    public var ipvsMinSyncPeriod = "1s"
    public var ipvsExcludeCIDRs: [String] = []
    public var masqueradeAll = false
    public var masqueradeBit = 14
    public var nodePortAddresses: [String] = []
    public var localhostNodePorts = false
    public var externalIPCIDRs: [String] = []
    /// Lists of `Gate=bool`.
    public var featureGates: [String] = []
    public var detectLocalMode = ""
    public var podBridgeInterface = ""
    public var podInterfaceNamePrefix = ""
    public var drainTimeout = "15m"
    public var iptablesBackend = "auto"
    public var serviceClusterIPRange = "10.96.0.0/12"
    public var stateDirectory = "/run/kube-ipvs-proxy"
    public var healthzBindAddress = "0.0.0.0:10256"
    public var metricsBindAddress = "127.0.0.1:10249"
    public var bindAddressHardFail = false
    public var profiling = false

    public init() {}
}
