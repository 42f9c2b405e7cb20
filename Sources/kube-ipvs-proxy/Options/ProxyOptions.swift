internal import ArgumentParser
internal import Glibc
internal import KubeProxyConfiguration
internal import LocalhostNodePorts

/// The flags that determine the desired state, of `run` and `plan`.
struct ProxyOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Path of the configuration file (KubeProxyConfiguration).",
            discussion:
                "With it, kube-proxy's flags are ignored, except --hostname-override, --master and the logging flags.",
            valueName: "file"))
    var config = ""

    @Option(
        help: ArgumentHelp("Accepted for compatibility with kube-proxy; ipvs is the only mode.", valueName: "mode"))
    var proxyMode: String?

    @Option(
        help: ArgumentHelp(
            "Read Services, EndpointSlices, Endpoints, Nodes, Pods and ServiceCIDRs from the YAML and JSON files in this directory, not from an API server.",
            valueName: "directory"))
    var manifests: String?

    @Option(
        help: ArgumentHelp(
            "Path of the kubeconfig file.",
            discussion: "Default: the in-cluster configuration, with the pod's service account.", valueName: "file"))
    var kubeconfig: String?

    @Option(help: ArgumentHelp("URL of the API server; overrides the kubeconfig.", valueName: "url"))
    var master = FlagValues().master

    @Option(
        name: .customLong("kube-api-content-type"),
        help: ArgumentHelp(
            "Content type of objects from the API server: application/vnd.kubernetes.protobuf or application/json.",
            discussion: "Default: application/vnd.kubernetes.protobuf.",
            valueName: "type"))
    var kubeAPIContentType: String?

    @Option(
        name: .customLong("kube-api-qps"),
        help: ArgumentHelp(
            "Average number of requests to the API server per second; negative for no limit.", discussion: "Default: 5.",
            valueName: "number"))
    var kubeAPIQPS: Float?

    @Option(
        name: .customLong("kube-api-burst"),
        help: ArgumentHelp("Maximum burst of requests to the API server.", discussion: "Default: 10.", valueName: "number"))
    var kubeAPIBurst: Int32?

    @Option(help: ArgumentHelp("Name of this node's Node object.", discussion: "Default: the host name.", valueName: "name"))
    var hostnameOverride: String?

    @Option(
        name: .customLong("cluster-cidr"),
        help: ArgumentHelp(
            "CIDR range of the pods in the cluster; for dual-stack, an IPv4 and an IPv6 range.",
            discussion: "Traffic to cluster IPs from outside this range is masqueraded. If unset, only traffic from the node itself is.",
            valueName: "cidr,cidr")
    )
    var clusterCIDR: String?

    @Option(
        help: ArgumentHelp(
            "IPVS scheduler of Services without a scheduler annotation: rr, wrr, lc, wlc, sh, dh, sed, nq, mh…", discussion: "Default: rr.",
            valueName: "name"))
    var ipvsScheduler: String?

    @Option(
        help: ArgumentHelp(
            "How often the complete kernel state is audited and repaired.", discussion: "Default: 30s.", valueName: "duration"))
    var ipvsSyncPeriod: GoDuration?

    @Option(
        help: ArgumentHelp(
            "Minimum time between two syncs; changes in between are combined.",
            discussion: "Default: 1s; 0 if a configuration file does not set it.",
            valueName: "duration"))
    var ipvsMinSyncPeriod: GoDuration?

    @Option(
        name: .customLong("ipvs-exclude-cidrs"),
        help: ArgumentHelp("Do not remove stale virtual servers in these ranges.", valueName: "cidr,…"))
    var ipvsExcludeCIDRs: [String] = []

    @Option(help: ArgumentHelp("Masquerade all traffic to cluster IPs.", valueName: "bool"))
    var masqueradeAll: GoBool?

    @Option(
        help: ArgumentHelp(
            "Bit of the packet mark (fwmark) for packets to masquerade, from 0 to 31.", discussion: "Default: 14.", valueName: "bit"))
    var iptablesMasqueradeBit: Int32?

    @Option(
        name: .customLong("nodeport-addresses"),
        help: ArgumentHelp(
            "Node addresses on which node ports are served: CIDR ranges, or primary for the addresses of the Node object.",
            discussion: "Default: all.", valueName: "cidr,…"))
    var nodePortAddresses: [String] = []

    @Option(
        name: .customLong("localhost-nodeports"),
        help: ArgumentHelp(
            "Serve TCP node ports on 127.0.0.1 as well, through a userspace relay in this program.",
            discussion: "At most \(LocalhostNodePorts.connectionLimit) connections at once. They are closed when this program exits.",
            valueName: "bool")
    )
    var localhostNodePorts = GoBool(false)

    @Option(
        name: .customLong("external-ip-cidrs"),
        help: ArgumentHelp(
            "Serve external IPs of Services only in these ranges.",
            discussion:
                "Default: all, so that everyone who can write a Service can redirect any address that pods connect to. To serve none, set "
                + "--feature-gates=AllowServiceExternalIPs=false.", valueName: "cidr,…"))
    var externalIPCIDRs: [String] = []

    @Option(
        help: ArgumentHelp(
            "How to track the addresses of other Nodes while a Service has an external or load balancer IP: auto, watch, list or ignore.",
            discussion:
                "A Service with the address of a Node would make it unreachable from this node. auto watches up to 1,000 Nodes and lists more "
                + "every 10 minutes, or less often in larger clusters; ignore serves such addresses, as kube-proxy does.",
            valueName: "mode"))
    var otherNodeAddresses = FlagValues().otherNodeAddresses

    @Option(
        help: ArgumentHelp(
            "Feature gates of kube-proxy.",
            discussion:
                "AllowServiceExternalIPs (default true): serve external IPs of Services. The other feature gates are accepted, but have "
                + "no effect.", valueName: "gate=bool,…"))
    var featureGates: [String] = []

    @Option(
        help: ArgumentHelp(
            "Mode to detect traffic from pods: ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix.",
            discussion: "Default: ClusterCIDR.", valueName: "mode"))
    var detectLocalMode: String?

    @Option(help: ArgumentHelp("Bridge interface of the pods, for --detect-local-mode BridgeInterface.", valueName: "interface"))
    var podBridgeInterface: String?

    @Option(help: ArgumentHelp("Name prefix of the pods' interfaces, for --detect-local-mode InterfaceNamePrefix.", valueName: "prefix"))
    var podInterfaceNamePrefix: String?

    @Option(help: ArgumentHelp("How long a removed endpoint keeps its TCP connections; it gets no new ones.", valueName: "duration"))
    var drainTimeout = FlagValues().drainTimeout

    @Option(
        help: ArgumentHelp(
            "Where rules are written: iptables (with ipset), nftables, or auto, which is iptables if it works on this node, otherwise nftables.",
            discussion:
                "Default: auto. Overrides kube-ipvs-proxy.io/packet-filter of the configuration file. The proxy mode remains ipvs.",
            valueName: "filter"))
    var packetFilter: String?

    @Option(
        help: ArgumentHelp(
            "How the node accepts service addresses: address (an address on kube-ipvs0 for each), route (a local route for each), or auto, which is route if there are very many.",
            discussion: "Default: auto. Overrides kube-ipvs-proxy.io/service-addresses of the configuration file.",
            valueName: "kind"))
    var serviceAddresses: String?

    @Option(
        help: ArgumentHelp(
            "With the packet filter iptables, the iptables backend of this node: legacy, nft, or auto to detect it (from the kubelet's hint chain, or by trying).",
            valueName: "backend"
        ))
    var iptablesBackend = FlagValues().iptablesBackend

    @Option(
        name: .customLong("service-cluster-ip-range"),
        help: ArgumentHelp("Ranges from which Services in manifests get a cluster IP if they have none.", valueName: "cidr,cidr"))
    var serviceClusterIPRange = FlagValues().serviceClusterIPRange

    @Option(
        help: ArgumentHelp(
            "Directory for the status socket and for the previous kernel settings, which cleanup restores.", valueName: "directory"))
    var stateDirectory = FlagValues().stateDirectory

    @Option(help: ArgumentHelp("Accepted, but has no effect: changes are received through watches.", valueName: "duration"))
    var configSyncPeriod: GoDuration?

    @OptionGroup var servers: ServerOptions
    @OptionGroup var kernel: KernelOptions
    @OptionGroup var otherModes: OtherModesOptions
    @OptionGroup var logging: LoggingOptions

    /// Returns the validated configuration from flags and file; fails with all errors.
    ///
    /// - Parameters:
    ///   - isForWriting: for `--write-config-to`.
    ///   - quiet: for commands whose output is their result.
    func start(isForWriting: Bool = false, quiet: Bool = false) throws -> StartConfiguration {
        for deprecation in servers.deprecations { warn(deprecation) }
        return try StartConfiguration(
            path: config, values, hostname: ProxyOptions.hostname(), isForWriting: isForWriting, quiet: quiet)
    }

    /// The flags as given.
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
        flags.packetFilter = packetFilter
        flags.serviceAddresses = serviceAddresses
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

    /// The comma-separated values of all uses of a flag; nil if it is not used.
    static func list(_ uses: [String]) -> [String]? {
        uses.isEmpty ? nil : uses.flatMap { $0.split(separator: ",").map(String.init) }
    }

    private static func hostname() -> String {
        var name = utsname()
        guard unsafe uname(&name) == 0 else { return "" }
        return unsafe withUnsafeBytes(of: name.nodename) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

/// A boolean in Go's syntax.
struct GoBool: ExpressibleByArgument, CustomStringConvertible {
    var value: Bool

    init(_ value: Bool) { self.value = value }

    init?(argument: String) {
        guard let value = Bool(goText: argument) else { return nil }
        self.value = value
    }

    var description: String { "\(value)" }
}

/// Flags of kube-proxy that have no effect in ipvs mode, accepted so that its command lines need no change.
struct OtherModesOptions: ParsableArguments {
    @Option(help: .hidden) var iptablesLocalhostNodeports: GoBool?
    @Option(help: .hidden) var iptablesSyncPeriod: GoDuration?
    @Option(help: .hidden) var iptablesMinSyncPeriod: GoDuration?
    @Option(name: .customLong("boot-id-file"), help: .hidden) var bootIDFile: String?
    @Option(name: .customLong("machine-id-file"), help: .hidden) var machineIDFile: String?

    func put(into flags: inout FlagValues) { flags.iptablesLocalhostNodePorts = iptablesLocalhostNodeports?.value }
}
