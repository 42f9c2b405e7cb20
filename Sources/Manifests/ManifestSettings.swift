public import Model

/// What a control plane chooses from for Services whose manifests leave it open.
public struct ManifestSettings: Hashable, Sendable {
    /// `--service-cluster-ip-range` of kube-apiserver: at most one range a family, the first being that of Services that name none.
    public var serviceClusterIPRanges: [CIDR]
    /// `--service-node-port-range` of kube-apiserver.
    public var nodePorts: ClosedRange<UInt16>

    /// From ServiceCIDRs of the manifests: cluster IPs may be named from them, and none is chosen from them.
    var addedRanges: [CIDR] = []

    public init(serviceClusterIPRanges: [CIDR] = ManifestSettings.defaultRanges, nodePorts: ClosedRange<UInt16> = 30000...32767) {
        self.serviceClusterIPRanges = serviceClusterIPRanges
        self.nodePorts = nodePorts
    }

    /// `10.96.0.0/12`, as kubeadm has it.
    public static let defaultRanges = CIDR(IPAddress(v4: 0x0a60_0000), prefixLength: 12).map { [$0] } ?? []

    /// The families that Services can have, in order of preference.
    var families: [IPFamily] { serviceClusterIPRanges.map(\.family) }

    func range(of family: IPFamily) -> CIDR? { serviceClusterIPRanges.first { $0.family == family } }

    /// The ranges of a family that a cluster IP may be in; none where the family's are not known.
    func ranges(of family: IPFamily) -> [CIDR] { (serviceClusterIPRanges + addedRanges).filter { $0.family == family } }
}
