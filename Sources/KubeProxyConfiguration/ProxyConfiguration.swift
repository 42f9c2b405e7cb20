public import Model
public import Translation

/// The validated configuration of the proxy, with defaults.
public struct ProxyConfiguration: Hashable, Sendable {
    /// The part of the kernel that the rules are written to.
    public enum PacketFilterChoice: String, Hashable, Sendable, CaseIterable { case auto, iptables, nftables }

    /// How the node accepts service addresses.
    public enum ServiceAddressChoice: String, Hashable, Sendable, CaseIterable { case auto, address, route }

    /// The iptables backend of this node, with the packet filter iptables.
    public enum IPTablesBackendChoice: String, Hashable, Sendable, CaseIterable { case auto, legacy, nft }

    /// The metrics of individual Services in `/metrics`.
    public enum MetricsPerService: String, Hashable, Sendable, CaseIterable { case off, service, endpoint }

    /// How the addresses of other Nodes are obtained while a Service has an address that might be one of theirs.
    public enum OtherNodeAddresses: String, Hashable, Sendable, CaseIterable { case auto, watch, list, ignore }

    /// The source of Services and endpoints.
    public enum ClusterSourceChoice: Hashable, Sendable {
        /// A directory of manifests.
        case manifests(String)
        /// The API server.
        case api(ClientConnection)
    }

    /// The name of this node's Node object.
    public var nodeName: String
    /// The source of Services and endpoints.
    public var cluster: ClusterSourceChoice
    public var scheduler: Scheduler
    public var syncPeriod: Duration
    public var minSyncPeriod: Duration
    public var excludeCIDRs: [CIDR]
    public var masqueradeAll: Bool
    /// 0…31.
    public var masqueradeBit: Int
    public var nodePortAddresses: NodePortAddresses
    /// Whether TCP node ports are also served on 127.0.0.1.
    public var localhostNodePorts: Bool
    /// Ranges that external IPs of Services must lie in; empty allows all.
    public var externalIPCIDRs: [CIDR]
    public var otherNodeAddresses: OtherNodeAddresses
    public var featureGates: FeatureGates
    public var localTraffic: LocalTraffic
    /// How long a draining real server keeps its TCP connections.
    public var drainTimeout: Duration
    public var packetFilter: PacketFilterChoice
    public var serviceAddresses: ServiceAddressChoice
    /// `auto` if the packet filter is nftables.
    public var iptables: IPTablesBackendChoice
    /// The ranges that cluster IPs are chosen from for manifests: one, or one of each family.
    public var serviceClusterIPRanges: [CIDR]
    public var stateDirectory: String
    /// Takes precedence over the Node's own addresses, unless it is unspecified; nothing listens on it.
    public var bindAddress: IPAddress
    /// The address of `/healthz` and `/livez`; nil to disable them.
    public var healthzBindAddress: AddressPort?
    /// The address of `/metrics`, `/proxyMode` and `/configz`; nil to disable them.
    public var metricsBindAddress: AddressPort?
    /// Whether the program exits if it cannot listen on an address.
    public var bindAddressHardFail: Bool
    public var enableProfiling: Bool
    public var metricsPerService: MetricsPerService
    /// The maximum number of Service ports, and of endpoints, with series.
    public var metricsPerServiceLimit: Int
    /// −1000…1000.
    public var oomScoreAdj: Int
    public var conntrack: ConntrackSettings
    public var ipvsTimeouts: IPVSTimeouts
    /// Whether the node answers an ARP request only for addresses of the receiving interface.
    public var strictARP: Bool

    /// Validates the flags; throws all problems together.
    ///
    /// - Parameter hostname: The host name, used if no node name is set.
    public init(_ flags: FlagValues, hostname: String) throws(ConfigurationError) {
        try self.init(try KubeProxyConfiguration.effective(file: nil, flags: flags), flags, hostname: hostname)
    }

    /// Validates the effective configuration and this program's own flags; throws all problems together.
    ///
    /// - Parameters:
    ///   - configuration: The result of `KubeProxyConfiguration.effective`.
    ///   - hostname: The host name, used if no node name is set.
    public init(_ configuration: KubeProxyConfiguration, _ flags: FlagValues, hostname: String) throws(ConfigurationError) {
        var reader = FlagReader()
        nodeName = reader.nodeName(configuration.hostnameOverride, hostname: hostname)
        cluster = reader.cluster(configuration.clientConnection, flags)
        drainTimeout = reader.duration("--drain-timeout", flags.drainTimeout, atLeast: .zero)
        iptables = reader.choice("--iptables-backend", flags.iptablesBackend, default: .auto)
        // The validation below reports invalid values.
        packetFilter = PacketFilterChoice(rawValue: configuration.packetFilter) ?? .auto
        serviceAddresses = ServiceAddressChoice(rawValue: configuration.serviceAddresses) ?? .auto
        if packetFilter == .nftables, iptables != .auto {
            reader.refuse(
                "--iptables-backend", flags.iptablesBackend,
                "cannot be combined with the packet filter nftables, which does not use iptables: omit it, or set --packet-filter=iptables")
        }
        serviceClusterIPRanges = reader.familyPair("--service-cluster-ip-range", flags.serviceClusterIPRange)
        stateDirectory = flags.stateDirectory
        metricsPerService = reader.choice("--metrics-per-service", flags.metricsPerService, default: .service)
        metricsPerServiceLimit = flags.metricsPerServiceLimit
        if flags.metricsPerServiceLimit < 1 {
            reader.refuse("--metrics-per-service-limit", "\(flags.metricsPerServiceLimit)", "must be at least 1")
        }
        localhostNodePorts = flags.localhostNodePorts
        externalIPCIDRs = reader.cidrs("--external-ip-cidrs", flags.externalIPCIDRs)
        otherNodeAddresses = reader.choice("--other-node-addresses", flags.otherNodeAddresses, default: .auto)

        // The validation below reports invalid values; then the configuration is not used.
        scheduler = Scheduler(configuration.ipvs.scheduler) ?? .roundRobin
        syncPeriod = configuration.syncPeriod.duration
        minSyncPeriod = configuration.minSyncPeriod.duration
        excludeCIDRs = (configuration.ipvs.excludeCIDRs ?? []).compactMap(CIDR.init)
        masqueradeAll = configuration.iptables.masqueradeAll
        masqueradeBit = Int(configuration.iptables.masqueradeBit ?? 14)
        nodePortAddresses = NodePortAddresses(configuration.nodePortAddresses ?? [])
        featureGates = FeatureGates(configuration.featureGates)
        localTraffic = LocalTraffic(configuration)
        bindAddress = IPAddress(configuration.bindAddress) ?? IPAddress(v4: 0)
        healthzBindAddress = AddressPort(bound: configuration.healthzBindAddress)
        metricsBindAddress = AddressPort(bound: configuration.metricsBindAddress)
        bindAddressHardFail = configuration.bindAddressHardFail
        enableProfiling = configuration.enableProfiling
        oomScoreAdj = Int(configuration.oomScoreAdj ?? 0)
        conntrack = ConntrackSettings(configuration.conntrack)
        ipvsTimeouts = IPVSTimeouts(configuration.ipvs)
        strictARP = configuration.ipvs.strictARP

        let fields = configuration.validate()
        guard reader.problems.isEmpty, fields.isEmpty else { throw ConfigurationError(problems: reader.problems, fields: fields) }
    }

    /// Returns the settings for the translation of Services to kernel state.
    ///
    /// - Parameters:
    ///   - families: The families that the kernel and iptables support.
    ///   - hasRandomFully: Whether MASQUERADE supports `--random-fully`.
    public func translationSettings(families: Set<IPFamily>, hasRandomFully: Bool) -> TranslationSettings {
        TranslationSettings(
            nodeName: nodeName, scheduler: scheduler, families: families, masqueradeAll: masqueradeAll, masqueradeBit: masqueradeBit,
            localTraffic: localTraffic, nodePortAddresses: nodePortAddresses, hasRandomFully: hasRandomFully,
            allowsExternalIPs: featureGates.allowsServiceExternalIPs, externalIPRanges: externalIPCIDRs, bindAddress: bindAddress,
            serviceAddresses: serviceAddresses.setting)
    }
}

extension ProxyConfiguration.ServiceAddressChoice {
    fileprivate var setting: ServiceAddresses {
        switch self {
        case .auto: .auto()
        case .address: .address
        case .route: .route
        }
    }
}

extension NodePortAddresses {
    init(_ texts: [String]) {
        let ranges = texts.compactMap(CIDR.init)
        self = texts == [KubeProxyConfiguration.primaryAddresses] ? .primary : ranges.isEmpty ? .all : .ranges(ranges)
    }
}

extension LocalTraffic {
    init(_ configuration: KubeProxyConfiguration) {
        switch DetectLocalMode(rawValue: configuration.detectLocalMode) {
        case .clusterCIDR, nil: self = .clusterCIDR(configuration.clusterCIDRs.compactMap(CIDR.init))
        case .nodeCIDR: self = .nodeCIDR
        case .bridgeInterface: self = .bridgeInterface(configuration.detectLocal.bridgeInterface)
        case .interfaceNamePrefix: self = .interfaceNamePrefix(configuration.detectLocal.interfaceNamePrefix)
        }
    }
}

extension AddressPort {
    /// Returns nil for empty or invalid text.
    fileprivate init?(bound text: String) {
        guard let parts = HostPort(text), let address = IPAddress(parts.host), let port = parts.portNumber else { return nil }
        self.init(address, port)
    }
}

extension ConntrackSettings {
    fileprivate init(_ configuration: KubeProxyConntrackConfiguration) {
        self.init(
            maxPerCore: Int(configuration.maxPerCore ?? 0), min: Int(configuration.min ?? 0),
            tcpEstablishedTimeout: (configuration.tcpEstablishedTimeout ?? .zero).duration,
            tcpCloseWaitTimeout: (configuration.tcpCloseWaitTimeout ?? .zero).duration, tcpBeLiberal: configuration.tcpBeLiberal,
            udpTimeout: configuration.udpTimeout.duration, udpStreamTimeout: configuration.udpStreamTimeout.duration)
    }
}

extension IPVSTimeouts {
    fileprivate init(_ configuration: KubeProxyIPVSConfiguration) {
        self.init(
            tcp: configuration.tcpTimeout.duration, tcpFin: configuration.tcpFinTimeout.duration, udp: configuration.udpTimeout.duration)
    }
}

/// The connection to the API server (`clientConnection` of KubeProxyConfiguration, and `--master`).
public struct ClientConnection: Hashable, Sendable {
    /// The path of a kubeconfig; empty for none. If `master` is empty too, the in-cluster configuration is used.
    public var kubeconfig: String
    /// A URL that overrides the kubeconfig's server; empty for none.
    public var master: String
    /// One of `contentTypes`.
    public var contentType: String
    /// The `Accept` header; empty to derive it from `contentType`.
    public var acceptContentTypes: String
    /// The average number of requests per second; below 0 for no limit, 0 for the default of 5.
    public var qps: Double
    /// The maximum burst of requests; 0 for the default of 10.
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
