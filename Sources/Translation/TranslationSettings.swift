public import Model

/// The parts of the configuration that decide how Services are translated to virtual servers.
public struct TranslationSettings: Hashable, Sendable {
    /// The name of this node's Node object, in lower case.
    public var nodeName: String
    public var scheduler: Scheduler
    /// The schedulers that Services may request: those known to be available in this node's kernel.
    public var schedulers: [Scheduler]
    /// Families that this node's kernel and packet filter support.
    public var families: Set<IPFamily>
    /// Whether all traffic to cluster IPs is masqueraded.
    public var masqueradeAll: Bool
    /// The bit of the packet mark that marks packets for masquerading: 0…31.
    public var masqueradeBit: Int
    public var localTraffic: LocalTraffic
    public var nodePortAddresses: NodePortAddresses
    /// Takes precedence over the Node object's address of its family (`--bind-address`); unspecified for no change.
    public var bindAddress: IPAddress
    /// Whether MASQUERADE supports `--random-fully`.
    public var hasRandomFully: Bool
    /// The packet filter of this node.
    public var packetFilter: PacketFilterKind
    /// Whether `Service.spec.externalIPs` are served at all (the feature gate `AllowServiceExternalIPs`).
    public var allowsExternalIPs: Bool
    /// Ranges that external IPs must lie in (`--external-ip-cidrs`); empty allows all.
    ///
    /// Otherwise anyone who may write Services can intercept traffic from pods to any address (CVE-2020-8554).
    public var externalIPRanges: [CIDR]
    public var serviceAddresses: ServiceAddresses

    public init(
        nodeName: String, scheduler: Scheduler = .roundRobin, families: Set<IPFamily> = Set(IPFamily.allCases), masqueradeAll: Bool = false,
        masqueradeBit: Int = 14, localTraffic: LocalTraffic = .clusterCIDR([]), nodePortAddresses: NodePortAddresses = .all,
        hasRandomFully: Bool = true, schedulers: [Scheduler] = Scheduler.ofLinux, allowsExternalIPs: Bool = true,
        externalIPRanges: [CIDR] = [], packetFilter: PacketFilterKind = .iptables,
        bindAddress: IPAddress = IPAddress(v4: 0), serviceAddresses: ServiceAddresses = .auto()
    ) {
        self.nodeName = nodeName
        self.scheduler = scheduler
        self.schedulers = schedulers
        self.families = families
        self.masqueradeAll = masqueradeAll
        self.masqueradeBit = masqueradeBit
        self.localTraffic = localTraffic
        self.nodePortAddresses = nodePortAddresses
        self.bindAddress = bindAddress
        self.hasRandomFully = hasRandomFully
        self.packetFilter = packetFilter
        self.allowsExternalIPs = allowsExternalIPs
        self.externalIPRanges = externalIPRanges
        self.serviceAddresses = serviceAddresses
    }

    /// Whether there are rules for sets without members. They never match, but then no Service changes the rules. kube-proxy has none in
    /// iptables.
    var hasRulesForEmptySets: Bool { packetFilter == .nftables }

    /// Whether a Service may have the external IP.
    public func allowsExternalIP(_ address: IPAddress) -> Bool {
        allowsExternalIPs && (externalIPRanges.isEmpty || externalIPRanges.contains { $0.contains(address) })
    }
}
