public import Model
public import Translation

/// What the proxy is told to do: checked, typed, defaults filled in.
public struct ProxyConfiguration: Hashable, Sendable {
    /// Where iptables keeps its rules on this node.
    public enum IPTablesChoice: String, Hashable, Sendable, CaseIterable { case auto, legacy, nft }

    /// Where the cluster is read from.
    public enum ClusterChoice: Hashable, Sendable {
        /// A directory of manifests.
        case manifests(String)
        /// The API server.
        case api(ClientConnection)
    }

    /// The name of this node's Node object.
    public var nodeName: String
    /// Where Services and endpoints are read from.
    public var cluster: ClusterChoice
    public var scheduler: Scheduler
    public var syncPeriod: Duration
    public var minSyncPeriod: Duration
    public var excludeCIDRs: [CIDR]
    public var masqueradeAll: Bool
    /// 0…31.
    public var masqueradeBit: Int
    public var nodePortAddresses: NodePortAddresses
    /// Whether TCP node ports answer on 127.0.0.1 as well.
    public var localhostNodePorts: Bool
    /// Ranges that external IPs of Services must lie in; empty allows all.
    public var externalIPCIDRs: [CIDR]
    public var featureGates: FeatureGates
    public var localTraffic: LocalTraffic
    /// How long a real server that is no longer wanted keeps its TCP connections.
    public var drainTimeout: Duration
    public var iptables: IPTablesChoice
    /// Where cluster IPs are taken from for manifests that have none: one range, or one a family.
    public var serviceClusterIPRanges: [CIDR]
    public var stateDirectory: String
    /// Where `/healthz` and `/livez` are; nil for nowhere.
    public var healthzBindAddress: AddressPort?
    /// Where `/metrics` and its like are; nil for nowhere.
    public var metricsBindAddress: AddressPort?
    /// Whether a server that cannot listen there ends the program.
    public var bindAddressHardFail: Bool
    /// Whether the log level can be set at the metrics address.
    public var profiling: Bool

    /// Checks every flag; fails with all that is wrong.
    ///
    /// - Parameter hostname: this machine's name, for where no node name is given.
    public init(_ flags: FlagValues, hostname: String) throws(ConfigurationError) {
        var reader = FlagReader()
        nodeName = reader.nodeName(flags.hostnameOverride, hostname: hostname)
        cluster = reader.cluster(flags)
        scheduler = reader.scheduler(flags.ipvsScheduler)
        syncPeriod = reader.duration("--ipvs-sync-period", flags.ipvsSyncPeriod, atLeast: .nanoseconds(1))
        minSyncPeriod = reader.duration("--ipvs-min-sync-period", flags.ipvsMinSyncPeriod, atLeast: .zero)
        excludeCIDRs = reader.cidrs("--ipvs-exclude-cidrs", flags.ipvsExcludeCIDRs)
        masqueradeAll = flags.masqueradeAll
        masqueradeBit = flags.masqueradeBit
        nodePortAddresses = reader.nodePortAddresses(flags.nodePortAddresses)
        localhostNodePorts = flags.localhostNodePorts
        externalIPCIDRs = reader.cidrs("--external-ip-cidrs", flags.externalIPCIDRs)
        featureGates = reader.featureGates("--feature-gates", flags.featureGates)
        localTraffic = reader.localTraffic(flags)
        drainTimeout = reader.duration("--drain-timeout", flags.drainTimeout, atLeast: .zero)
        iptables = reader.choice("--iptables-backend", flags.iptablesBackend, default: .auto)
        serviceClusterIPRanges = reader.familyPair("--service-cluster-ip-range", flags.serviceClusterIPRange)
        stateDirectory = flags.stateDirectory
        healthzBindAddress = reader.bindAddress("--healthz-bind-address", flags.healthzBindAddress)
        metricsBindAddress = reader.bindAddress("--metrics-bind-address", flags.metricsBindAddress)
        bindAddressHardFail = flags.bindAddressHardFail
        profiling = flags.profiling
        if !(0...31).contains(masqueradeBit) {
            reader.refuse("--iptables-masquerade-bit", "\(masqueradeBit)", "must be within the range [0, 31]")
        }
        if minSyncPeriod > syncPeriod, !reader.problems.contains(where: { $0.flag == "--ipvs-sync-period" }) {
            reader.refuse(
                "--ipvs-min-sync-period", flags.ipvsMinSyncPeriod, "must not be longer than --ipvs-sync-period (\(flags.ipvsSyncPeriod))")
        }
        guard reader.problems.isEmpty else { throw ConfigurationError(problems: reader.problems) }
    }

    /// What Translation needs of it.
    ///
    /// - Parameters:
    ///   - families: those this kernel and its iptables can do.
    ///   - hasRandomFully: whether MASQUERADE takes `--random-fully`.
    public func translationSettings(families: Set<IPFamily>, hasRandomFully: Bool) -> TranslationSettings {
        TranslationSettings(
            nodeName: nodeName, scheduler: scheduler, families: families, masqueradeAll: masqueradeAll, masqueradeBit: masqueradeBit,
            localTraffic: localTraffic, nodePortAddresses: nodePortAddresses, hasRandomFully: hasRandomFully,
            allowsExternalIPs: featureGates.allowsServiceExternalIPs, externalIPRanges: externalIPCIDRs)
    }
}
