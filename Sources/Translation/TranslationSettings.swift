public import Model

/// What of the configuration decides how Services become virtual servers.
public struct TranslationSettings: Hashable, Sendable {
    /// The name of this node's Node object, in lower case.
    public var nodeName: String
    public var scheduler: Scheduler
    /// What Services may ask for: those that this node's kernel has.
    public var schedulers: [Scheduler]
    /// Families this kernel and its iptables can do.
    public var families: Set<IPFamily>
    /// Masquerade all traffic to cluster IPs.
    public var masqueradeAll: Bool
    /// Which bit of the packet mark says "masquerade this": 0…31.
    public var masqueradeBit: Int
    public var localTraffic: LocalTraffic
    public var nodePortAddresses: NodePortAddresses
    /// Counts as this node's address before the Node object's (`--bind-address`); unspecified for no change.
    public var bindAddress: IPAddress
    /// Whether MASQUERADE takes `--random-fully`.
    public var hasRandomFully: Bool
    /// Whether `Service.spec.externalIPs` are served at all (the feature gate `AllowServiceExternalIPs`).
    public var allowsExternalIPs: Bool
    /// Ranges that external IPs must lie in (`--external-ip-cidrs`); empty allows all.
    ///
    /// Whoever may write a Service may otherwise take over any address that pods talk to (CVE-2020-8554).
    public var externalIPRanges: [CIDR]

    public init(
        nodeName: String, scheduler: Scheduler = .roundRobin, families: Set<IPFamily> = Set(IPFamily.allCases), masqueradeAll: Bool = false,
        masqueradeBit: Int = 14, localTraffic: LocalTraffic = .clusterCIDR([]), nodePortAddresses: NodePortAddresses = .all,
        hasRandomFully: Bool = true, schedulers: [Scheduler] = Scheduler.ofLinux, allowsExternalIPs: Bool = true,
        externalIPRanges: [CIDR] = [],
        bindAddress: IPAddress = IPAddress(v4: 0)
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
        self.allowsExternalIPs = allowsExternalIPs
        self.externalIPRanges = externalIPRanges
    }

    /// Whether a Service may have the external IP.
    public func allowsExternalIP(_ address: IPAddress) -> Bool {
        allowsExternalIPs && (externalIPRanges.isEmpty || externalIPRanges.contains { $0.contains(address) })
    }
}
