/// A KubeProxyConfiguration of `kubeproxy.config.k8s.io/v1alpha1`, as in kube-proxy 1.36, with one field of this program.
///
/// Properties have the names of its fields. Addresses, ranges and modes are text as written, checked only by validation.
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
    /// One range, or two separated by a comma.
    public var clusterCIDR = ""
    public var nodePortAddresses: [String]?
    public var oomScoreAdj: Int32?
    public var conntrack = KubeProxyConntrackConfiguration()
    public var configSyncPeriod = GoDuration.zero
    public var portRange = ""
    public var windowsRunAsService = false
    /// `kube-ipvs-proxy.io/packet-filter`; empty for auto.
    public var packetFilter = ""
    /// `kube-ipvs-proxy.io/service-addresses`; empty for auto.
    public var serviceAddresses = ""

    public init() {}
}

extension KubeProxyConfiguration: FieldObject {
    // Fields of this program. They have the prefix of the annotations and the names of their flags; kube-proxy reports and ignores them.
    static let packetFilterField = "kube-ipvs-proxy.io/packet-filter"
    static let serviceAddressesField = "kube-ipvs-proxy.io/service-addresses"

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
        fields.field(KubeProxyConfiguration.packetFilterField, &packetFilter, omitsEmpty: true)
        fields.field(KubeProxyConfiguration.serviceAddressesField, &serviceAddresses, omitsEmpty: true)
    }
}

/// The connection to the API server (`clientConnection`).
public struct ClientConnectionConfiguration: Hashable, Sendable {
    public var kubeconfig = ""
    public var acceptContentTypes = ""
    public var contentType = ""
    /// The average number of requests per second; below 0 for no limit.
    public var qps: Float = 0
    /// The maximum burst of requests.
    public var burst: Int32 = 0

    public init() {}
}

extension ClientConnectionConfiguration: FieldObject {
    mutating func visit(_ fields: inout some FieldVisitor) {
        fields.field("kubeconfig", &kubeconfig)
        fields.field("acceptContentTypes", &acceptContentTypes)
        fields.field("contentType", &contentType)
        fields.field("qps", &qps)
        fields.field("burst", &burst)
    }
}

/// The interface that traffic of this node's pods is detected by (`detectLocal`).
public struct DetectLocalConfiguration: Hashable, Sendable {
    /// The bridge, if `detectLocalMode` is `BridgeInterface`.
    public var bridgeInterface = ""
    /// The prefix, if `detectLocalMode` is `InterfaceNamePrefix`.
    public var interfaceNamePrefix = ""

    public init() {}
}

extension DetectLocalConfiguration: FieldObject {
    mutating func visit(_ fields: inout some FieldVisitor) {
        fields.field("bridgeInterface", &bridgeInterface)
        fields.field("interfaceNamePrefix", &interfaceNamePrefix)
    }
}

/// How traffic of this node's pods is detected (`detectLocalMode`).
enum DetectLocalMode: String, CaseIterable {
    case clusterCIDR = "ClusterCIDR"
    case nodeCIDR = "NodeCIDR"
    case bridgeInterface = "BridgeInterface"
    case interfaceNamePrefix = "InterfaceNamePrefix"
}

/// Settings of the kernel's connection tracking (`conntrack`); durations of 0 leave the kernel's values.
public struct KubeProxyConntrackConfiguration: Hashable, Sendable {
    /// The maximum number of conntrack entries per core; 0 leaves the limit unchanged and ignores `min`.
    public var maxPerCore: Int32?
    /// The minimum of the limit.
    public var min: Int32?
    public var tcpEstablishedTimeout: GoDuration?
    public var tcpCloseWaitTimeout: GoDuration?
    public var tcpBeLiberal = false
    public var udpTimeout = GoDuration.zero
    public var udpStreamTimeout = GoDuration.zero

    public init() {}
}

extension KubeProxyConntrackConfiguration: FieldObject {
    mutating func visit(_ fields: inout some FieldVisitor) {
        fields.field("maxPerCore", &maxPerCore)
        fields.field("min", &min)
        fields.field("tcpEstablishedTimeout", &tcpEstablishedTimeout)
        fields.field("tcpCloseWaitTimeout", &tcpCloseWaitTimeout)
        fields.field("tcpBeLiberal", &tcpBeLiberal)
        fields.field("udpTimeout", &udpTimeout)
        fields.field("udpStreamTimeout", &udpStreamTimeout)
    }
}

/// The section `iptables`, of which `masqueradeBit` and `masqueradeAll` also apply in ipvs mode.
public struct KubeProxyIPTablesConfiguration: Hashable, Sendable {
    /// 0…31.
    public var masqueradeBit: Int32?
    public var masqueradeAll = false
    public var localhostNodePorts: Bool?
    public var syncPeriod = GoDuration.zero
    public var minSyncPeriod = GoDuration.zero

    public init() {}
}

extension KubeProxyIPTablesConfiguration: FieldObject {
    mutating func visit(_ fields: inout some FieldVisitor) {
        fields.field("masqueradeBit", &masqueradeBit)
        fields.field("masqueradeAll", &masqueradeAll)
        fields.field("localhostNodePorts", &localhostNodePorts)
        fields.field("syncPeriod", &syncPeriod)
        fields.field("minSyncPeriod", &minSyncPeriod)
    }
}

/// The section `ipvs`.
public struct KubeProxyIPVSConfiguration: Hashable, Sendable {
    public var syncPeriod = GoDuration.zero
    public var minSyncPeriod = GoDuration.zero
    /// The IPVS scheduler; empty for rr.
    public var scheduler = ""
    public var excludeCIDRs: [String]?
    public var strictARP = false
    /// Timeouts of idle connections; 0 leaves the kernel's values.
    public var tcpTimeout = GoDuration.zero
    public var tcpFinTimeout = GoDuration.zero
    public var udpTimeout = GoDuration.zero

    public init() {}
}

extension KubeProxyIPVSConfiguration: FieldObject {
    mutating func visit(_ fields: inout some FieldVisitor) {
        fields.field("syncPeriod", &syncPeriod)
        fields.field("minSyncPeriod", &minSyncPeriod)
        fields.field("scheduler", &scheduler)
        fields.field("excludeCIDRs", &excludeCIDRs)
        fields.field("strictARP", &strictARP)
        fields.field("tcpTimeout", &tcpTimeout)
        fields.field("tcpFinTimeout", &tcpFinTimeout)
        fields.field("udpTimeout", &udpTimeout)
    }
}

/// The section `nftables`, which has no effect in ipvs mode.
public struct KubeProxyNFTablesConfiguration: Hashable, Sendable {
    public var masqueradeBit: Int32?
    public var masqueradeAll = false
    public var syncPeriod = GoDuration.zero
    public var minSyncPeriod = GoDuration.zero

    public init() {}
}

extension KubeProxyNFTablesConfiguration: FieldObject {
    mutating func visit(_ fields: inout some FieldVisitor) {
        fields.field("masqueradeBit", &masqueradeBit)
        fields.field("masqueradeAll", &masqueradeAll)
        fields.field("syncPeriod", &syncPeriod)
        fields.field("minSyncPeriod", &minSyncPeriod)
    }
}

/// The section `winkernel`, which has no effect on Linux.
public struct KubeProxyWinkernelConfiguration: Hashable, Sendable {
    public var networkName = ""
    public var sourceVip = ""
    public var enableDSR = false
    public var rootHnsEndpointName = ""
    public var forwardHealthCheckVip = false

    public init() {}
}

extension KubeProxyWinkernelConfiguration: FieldObject {
    mutating func visit(_ fields: inout some FieldVisitor) {
        fields.field("networkName", &networkName)
        fields.field("sourceVip", &sourceVip)
        fields.field("enableDSR", &enableDSR)
        fields.field("rootHnsEndpointName", &rootHnsEndpointName)
        fields.field("forwardHealthCheckVip", &forwardHealthCheckVip)
    }
}
