internal import ArgumentParser
internal import Glibc
internal import KubeProxyConfiguration
internal import LocalhostNodePorts

/// The flags that say what the kernel should hold: those of `run` and `plan`.
struct ProxyOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Read a KubeProxyConfiguration from this file.",
            discussion:
                "Beside it only --hostname-override, --master, the flags of logging and those that kube-proxy does not have count.",
            valueName: "file"))
    var config = ""

    @Option(
        help: ArgumentHelp("Accepted for kube-proxy's sake: ipvs is the only mode.", valueName: "mode"))
    var proxyMode: String?

    @Option(
        help: ArgumentHelp(
            "Read Services, EndpointSlices, Endpoints, Nodes, Pods and ServiceCIDRs from the YAML and JSON files of this directory, not from an API server.",
            valueName: "directory"))
    var manifests: String?

    @Option(
        help: ArgumentHelp(
            "How to reach the API server.",
            discussion: "Default: as a pod of the cluster, by its service account.", valueName: "file"))
    var kubeconfig: String?

    @Option(help: ArgumentHelp("The URL of the API server, instead of the one in the kubeconfig.", valueName: "url"))
    var master = FlagValues().master

    @Option(
        name: .customLong("kube-api-content-type"),
        help: ArgumentHelp(
            "What objects are asked for in: protobuf, or application/json.", discussion: "Default: application/vnd.kubernetes.protobuf.",
            valueName: "type"))
    var kubeAPIContentType: String?

    @Option(
        name: .customLong("kube-api-qps"),
        help: ArgumentHelp(
            "Requests to the API server a second, in the long run; below 0 for no limit.", discussion: "Default: 5.", valueName: "number"))
    var kubeAPIQPS: Float?

    @Option(
        name: .customLong("kube-api-burst"),
        help: ArgumentHelp("Requests to the API server at once.", discussion: "Default: 10.", valueName: "number"))
    var kubeAPIBurst: Int32?

    @Option(help: ArgumentHelp("The name of this node's Node object.", discussion: "Default: the host name.", valueName: "name"))
    var hostnameOverride: String?

    @Option(
        name: .customLong("cluster-cidr"),
        help: ArgumentHelp(
            "The range of pod addresses; with two, one for IPv4 and one for IPv6.",
            discussion: "Traffic to cluster IPs from elsewhere is masqueraded. Without it, only the node's own is.", valueName: "cidr,cidr")
    )
    var clusterCIDR: String?

    @Option(
        help: ArgumentHelp(
            "The IPVS scheduler of all virtual servers: rr, wrr, lc, wlc, sh, dh, sed, nq, mh…", discussion: "Default: rr.",
            valueName: "name"))
    var ipvsScheduler: String?

    @Option(
        help: ArgumentHelp("How often the kernel is compared as a whole and repaired.", discussion: "Default: 30s.", valueName: "duration"))
    var ipvsSyncPeriod: GoDuration?

    @Option(
        help: ArgumentHelp(
            "Rest between two syncs; what changes meanwhile is taken together.", discussion: "Default: 1s; 0 in a file that does not say.",
            valueName: "duration"))
    var ipvsMinSyncPeriod: GoDuration?

    @Option(
        name: .customLong("ipvs-exclude-cidrs"),
        help: ArgumentHelp("Never delete virtual servers in these ranges as left over.", valueName: "cidr,…"))
    var ipvsExcludeCIDRs: [String] = []

    @Option(help: ArgumentHelp("Masquerade all traffic to cluster IPs.", valueName: "bool"))
    var masqueradeAll: GoBool?

    @Option(
        help: ArgumentHelp(
            "Which bit of the packet mark says that a packet is to be masqueraded: 0 to 31.", discussion: "Default: 14.", valueName: "bit"))
    var iptablesMasqueradeBit: Int32?

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
            "How the addresses of other Nodes are kept known while a Service has an external or load balancer IP: auto, watch, list or ignore.",
            discussion:
                "A Service that takes the address of a Node would cut this node off from it. auto watches up to 1,000 Nodes and lists more than these "
                + "every 10 minutes or, in larger clusters, more rarely; ignore serves such addresses as kube-proxy does.",
            valueName: "mode"))
    var otherNodeAddresses = FlagValues().otherNodeAddresses

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
    var detectLocalMode: String?

    @Option(help: ArgumentHelp("The bridge of this node's pods, for BridgeInterface.", valueName: "interface"))
    var podBridgeInterface: String?

    @Option(help: ArgumentHelp("How the names of pods' interfaces begin, for InterfaceNamePrefix.", valueName: "prefix"))
    var podInterfaceNamePrefix: String?

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

    @Option(help: ArgumentHelp("Accepted: what the API server holds is followed without it.", valueName: "duration"))
    var configSyncPeriod: GoDuration?

    @OptionGroup var servers: ServerOptions
    @OptionGroup var kernel: KernelOptions
    @OptionGroup var otherModes: OtherModesOptions
    @OptionGroup var logging: LoggingOptions

    /// Everything that flags and file say, checked; fails with all that is wrong.
    ///
    /// - Parameters:
    ///   - isForWriting: for `--write-config-to`.
    ///   - quiet: for commands whose result is what they print.
    func start(isForWriting: Bool = false, quiet: Bool = false) throws -> StartConfiguration {
        for deprecation in servers.deprecations { warn(deprecation) }
        return try StartConfiguration(
            path: config, values, hostname: ProxyOptions.hostname(), isForWriting: isForWriting, quiet: quiet)
    }

    /// The flags as they were given.
    var values: FlagValues {
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
        flags.ipvsExcludeCIDRs = ProxyOptions.list(ipvsExcludeCIDRs)
        flags.masqueradeAll = masqueradeAll?.value
        flags.masqueradeBit = iptablesMasqueradeBit
        flags.nodePortAddresses = ProxyOptions.list(nodePortAddresses)
        flags.localhostNodePorts = localhostNodePorts.value
        flags.externalIPCIDRs = ProxyOptions.list(externalIPCIDRs) ?? []
        flags.otherNodeAddresses = otherNodeAddresses
        flags.featureGates = featureGates.isEmpty ? nil : featureGates
        flags.detectLocalMode = detectLocalMode
        flags.podBridgeInterface = podBridgeInterface
        flags.podInterfaceNamePrefix = podInterfaceNamePrefix
        flags.drainTimeout = drainTimeout
        flags.iptablesBackend = iptablesBackend
        flags.serviceClusterIPRange = serviceClusterIPRange
        flags.stateDirectory = stateDirectory
        flags.proxyMode = proxyMode
        flags.configSyncPeriod = configSyncPeriod
        flags.logging = logging.values
        servers.put(into: &flags)
        kernel.put(into: &flags)
        otherModes.put(into: &flags)
        return flags
    }

    /// What stands between commas, of all uses of a flag; nil if there is none.
    static func list(_ uses: [String]) -> [String]? {
        uses.isEmpty ? nil : uses.flatMap { $0.split(separator: ",").map(String.init) }
    }

    private static func hostname() -> String {
        var name = utsname()
        guard unsafe uname(&name) == 0 else { return "" }
        return unsafe withUnsafeBytes(of: name.nodename) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

/// A boolean as Go reads it.
struct GoBool: ExpressibleByArgument, CustomStringConvertible {
    var value: Bool

    init(_ value: Bool) { self.value = value }

    init?(argument: String) {
        guard let value = Bool(goText: argument) else { return nil }
        self.value = value
    }

    var description: String { "\(value)" }
}

/// Flags of kube-proxy that mean nothing in ipvs mode: accepted, so that its command lines need no change.
struct OtherModesOptions: ParsableArguments {
    @Option(help: .hidden) var iptablesLocalhostNodeports: GoBool?
    @Option(help: .hidden) var iptablesSyncPeriod: GoDuration?
    @Option(help: .hidden) var iptablesMinSyncPeriod: GoDuration?
    @Option(name: .customLong("boot-id-file"), help: .hidden) var bootIDFile: String?
    @Option(name: .customLong("machine-id-file"), help: .hidden) var machineIDFile: String?

    func put(into flags: inout FlagValues) { flags.iptablesLocalhostNodePorts = iptablesLocalhostNodeports?.value }
}
