internal import ArgumentParser
internal import KubeProxyConfiguration
internal import Glibc
internal import LocalhostNodePorts

/// The flags that say what the kernel should hold: those of `run` and `plan`.
struct ProxyOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Read Services, EndpointSlices, Nodes and Pods from the YAML and JSON files of this directory, not from an API server.",
            valueName: "directory"))
    var manifests: String?

    @Option(
        help: ArgumentHelp(
            "How to reach the API server.",
            discussion: "Default: as a pod of the cluster, by its service account.", valueName: "file"))
    var kubeconfig = FlagValues().kubeconfig

    @Option(help: ArgumentHelp("The URL of the API server, instead of the one in the kubeconfig.", valueName: "url"))
    var master = FlagValues().master

    @Option(
        name: .customLong("kube-api-content-type"),
        help: ArgumentHelp("What objects are asked for in: protobuf, or application/json.", valueName: "type"))
    var kubeAPIContentType = FlagValues().kubeAPIContentType

    @Option(
        name: .customLong("kube-api-qps"),
        help: ArgumentHelp("Requests to the API server a second, in the long run; below 0 for no limit.", valueName: "number"))
    var kubeAPIQPS = FlagValues().kubeAPIQPS

    @Option(
        name: .customLong("kube-api-burst"), help: ArgumentHelp("Requests to the API server at once.", valueName: "number"))
    var kubeAPIBurst = FlagValues().kubeAPIBurst

    @Option(help: ArgumentHelp("The name of this node's Node object.", discussion: "Default: the host name.", valueName: "name"))
    var hostnameOverride: String?

    @Option(
        name: .customLong("cluster-cidr"),
        help: ArgumentHelp(
            "The range of pod addresses; with two, one for IPv4 and one for IPv6.",
            discussion: "Traffic to cluster IPs from elsewhere is masqueraded. Without it, only the node's own is.", valueName: "cidr,cidr")
    )
    var clusterCIDR = FlagValues().clusterCIDR

    @Option(
        help: ArgumentHelp(
            "The IPVS scheduler of all virtual servers: rr, wrr, lc, wlc, sh, dh, sed, nq, mh…", discussion: "Default: rr.",
            valueName: "name"))
    var ipvsScheduler = FlagValues().ipvsScheduler

    @Option(help: ArgumentHelp("How often the kernel is compared as a whole and repaired.", valueName: "duration"))
    var ipvsSyncPeriod = FlagValues().ipvsSyncPeriod

    @Option(help: ArgumentHelp("Rest between two syncs; what changes meanwhile is taken together.", valueName: "duration"))
    var ipvsMinSyncPeriod = FlagValues().ipvsMinSyncPeriod

    @Option(
        name: .customLong("ipvs-exclude-cidrs"),
        help: ArgumentHelp("Never delete virtual servers in these ranges as left over.", valueName: "cidr,…"))
    var ipvsExcludeCIDRs: [String] = []

    @Option(help: ArgumentHelp("Masquerade all traffic to cluster IPs.", valueName: "bool"))
    var masqueradeAll = GoBool(false)

    @Option(help: ArgumentHelp("Which bit of the packet mark says that a packet is to be masqueraded: 0 to 31.", valueName: "bit"))
    var iptablesMasqueradeBit = FlagValues().masqueradeBit

    @Option(
        name: .customLong("nodeport-addresses"),
        help: ArgumentHelp(
            "On which of this node's addresses node ports answer: ranges, or the word primary for the Node object's addresses.",
            discussion: "Default: all.", valueName: "cidr,…"))
    var nodePortAddresses: [String] = []

    @Option(
        name: .customLong("localhost-nodeports"),
        help: ArgumentHelp(
            "Have TCP node ports answer on 127.0.0.1 as well, by a relay in this program.",
            discussion: "At most \(LocalhostNodePorts.connectionLimit) connections at once. They end with this program.", valueName: "bool")
    )
    var localhostNodePorts = GoBool(false)

    @Option(
        name: .customLong("external-ip-cidrs"),
        help: ArgumentHelp(
            "Serve external IPs of Services only in these ranges.",
            discussion: "Default: all. Who may write a Service can otherwise take over any address that pods talk to. No range at all is "
                + "allowed by --feature-gates=AllowServiceExternalIPs=false.", valueName: "cidr,…"))
    var externalIPCIDRs: [String] = []

    @Option(
        help: ArgumentHelp(
            "Feature gates of kube-proxy.",
            discussion:
                "AllowServiceExternalIPs (default true): serve external IPs of Services. The others of kube-proxy are known and have "
                + "no effect.", valueName: "gate=bool,…"))
    var featureGates: [String] = []

    @Option(
        help: ArgumentHelp(
            "How traffic from this node's pods is recognised: ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix.",
            discussion: "Default: ClusterCIDR.", valueName: "mode"))
    var detectLocalMode = FlagValues().detectLocalMode

    @Option(help: ArgumentHelp("The bridge of this node's pods, for BridgeInterface.", valueName: "interface"))
    var podBridgeInterface = FlagValues().podBridgeInterface

    @Option(help: ArgumentHelp("How the names of pods' interfaces begin, for InterfaceNamePrefix.", valueName: "prefix"))
    var podInterfaceNamePrefix = FlagValues().podInterfaceNamePrefix

    @Option(help: ArgumentHelp("How long an endpoint that is gone keeps its TCP connections; it gets no new ones.", valueName: "duration"))
    var drainTimeout = FlagValues().drainTimeout

    @Option(
        help: ArgumentHelp(
            "Which iptables this node uses: legacy, nft, or auto to find out by the kubelet's hint and by what works.", valueName: "backend"
        ))
    var iptablesBackend = FlagValues().iptablesBackend

    @Option(
        name: .customLong("service-cluster-ip-range"),
        help: ArgumentHelp("Where Services of manifests that have no cluster IP get one from.", valueName: "cidr,cidr"))
    var serviceClusterIPRange = FlagValues().serviceClusterIPRange

    @Option(
        help: ArgumentHelp("Where to note what kernel settings were before, so that cleanup can put them back.", valueName: "directory"))
    var stateDirectory = FlagValues().stateDirectory

    @Option(help: ArgumentHelp("Where to answer /healthz and /livez; empty for nowhere.", valueName: "ip:port"))
    var healthzBindAddress = FlagValues().healthzBindAddress

    @Option(help: ArgumentHelp("Where to answer /metrics and its like; empty for nowhere.", valueName: "ip:port"))
    var metricsBindAddress = FlagValues().metricsBindAddress

    @Option(help: ArgumentHelp("End where one of these cannot be listened on, rather than to try again.", valueName: "bool"))
    var bindAddressHardFail = GoBool(false)

    @Option(help: ArgumentHelp("Let the log level be set at /debug/flags/v of the metrics address.", valueName: "bool"))
    var profiling = GoBool(false)

    @OptionGroup var logging: LoggingOptions

    /// Checked values; fails with everything that is wrong.
    func configuration() throws -> ProxyConfiguration {
        var flags = FlagValues()
        flags.manifests = manifests
        flags.kubeconfig = kubeconfig
        flags.master = master
        flags.kubeAPIContentType = kubeAPIContentType
        flags.kubeAPIQPS = kubeAPIQPS
        flags.kubeAPIBurst = kubeAPIBurst
        flags.hostnameOverride = hostnameOverride
        flags.clusterCIDR = clusterCIDR
        flags.ipvsScheduler = ipvsScheduler
        flags.ipvsSyncPeriod = ipvsSyncPeriod
        flags.ipvsMinSyncPeriod = ipvsMinSyncPeriod
        flags.ipvsExcludeCIDRs = ipvsExcludeCIDRs.flatMap { $0.split(separator: ",").map(String.init) }
        flags.masqueradeAll = masqueradeAll.value
        flags.masqueradeBit = iptablesMasqueradeBit
        flags.nodePortAddresses = nodePortAddresses.flatMap { $0.split(separator: ",").map(String.init) }
        flags.localhostNodePorts = localhostNodePorts.value
        flags.externalIPCIDRs = externalIPCIDRs.flatMap { $0.split(separator: ",").map(String.init) }
        flags.featureGates = featureGates
        flags.detectLocalMode = detectLocalMode
        flags.podBridgeInterface = podBridgeInterface
        flags.podInterfaceNamePrefix = podInterfaceNamePrefix
        flags.drainTimeout = drainTimeout
        flags.iptablesBackend = iptablesBackend
        flags.serviceClusterIPRange = serviceClusterIPRange
        flags.stateDirectory = stateDirectory
        flags.healthzBindAddress = healthzBindAddress
        flags.metricsBindAddress = metricsBindAddress
        flags.bindAddressHardFail = bindAddressHardFail.value
        flags.profiling = profiling.value
        return try ProxyConfiguration(flags, hostname: ProxyOptions.hostname())
    }

    private static func hostname() -> String {
        var name = utsname()
        guard unsafe uname(&name) == 0 else { return "" }
        return unsafe withUnsafeBytes(of: name.nodename) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

/// A truth value as Go reads it.
struct GoBool: ExpressibleByArgument, CustomStringConvertible {
    var value: Bool

    init(_ value: Bool) { self.value = value }

    init?(argument: String) {
        guard let value = Bool(goText: argument) else { return nil }
        self.value = value
    }

    var description: String { "\(value)" }
}
