/// A KubeProxyConfiguration of `kubeproxy.config.k8s.io/v1alpha1`, as kube-proxy 1.36 has it.
///
/// Names are those of its fields. Addresses, ranges and modes are text as it stands there: what is wrong with them is for validation to say.
public struct KubeProxyConfiguration: Hashable, Sendable {
    public static let apiVersion = "kubeproxy.config.k8s.io/v1alpha1"
    public static let kind = "KubeProxyConfiguration"

    public var featureGates: [String: Bool] = [:]
    public var clientConnection = ClientConnectionConfiguration()
    public var logging = LoggingConfiguration()
    public var hostnameOverride = ""
    public var bindAddress = ""
    public var healthzBindAddress = ""
    public var metricsBindAddress = ""
    public var bindAddressHardFail = false
    public var enableProfiling = false
    public var showHiddenMetricsForVersion = ""
    public var mode = ""
    public var iptables = KubeProxyIPTablesConfiguration()
    public var ipvs = KubeProxyIPVSConfiguration()
    public var nftables = KubeProxyNFTablesConfiguration()
    public var winkernel = KubeProxyWinkernelConfiguration()
    public var detectLocalMode = ""
    public var detectLocal = DetectLocalConfiguration()
    /// One range, or two with a comma between them.
    public var clusterCIDR = ""
    public var nodePortAddresses: [String]?
    public var oomScoreAdj: Int32?
    public var conntrack = KubeProxyConntrackConfiguration()
    public var configSyncPeriod = GoDuration.zero
    public var portRange = ""
    public var windowsRunAsService = false

    public init() {}
}

extension KubeProxyConfiguration: FieldObject {
    mutating func visit(_ fields: inout some FieldVisitor) {
        fields.field("featureGates", &featureGates, omitsEmpty: true)
        fields.field("clientConnection", &clientConnection)
        fields.field("logging", &logging)
        fields.field("hostnameOverride", &hostnameOverride)
        fields.field("bindAddress", &bindAddress)
        fields.field("healthzBindAddress", &healthzBindAddress)
        fields.field("metricsBindAddress", &metricsBindAddress)
        fields.field("bindAddressHardFail", &bindAddressHardFail)
        fields.field("enableProfiling", &enableProfiling)
        fields.field("showHiddenMetricsForVersion", &showHiddenMetricsForVersion)
        fields.field("mode", &mode)
        fields.field("iptables", &iptables)
        fields.field("ipvs", &ipvs)
        fields.field("nftables", &nftables)
        fields.field("winkernel", &winkernel)
        fields.field("detectLocalMode", &detectLocalMode)
        fields.field("detectLocal", &detectLocal)
        fields.field("clusterCIDR", &clusterCIDR)
        fields.field("nodePortAddresses", &nodePortAddresses)
        fields.field("oomScoreAdj", &oomScoreAdj)
        fields.field("conntrack", &conntrack)
        fields.field("configSyncPeriod", &configSyncPeriod)
        fields.field("portRange", &portRange)
        fields.field("windowsRunAsService", &windowsRunAsService, omitsEmpty: true)
    }
}
