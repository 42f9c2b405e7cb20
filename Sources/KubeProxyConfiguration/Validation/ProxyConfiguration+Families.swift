public import Model
internal import Translation

/// The families of addresses that a node serves.
public struct NodeFamilies: Hashable, Sendable {
    public var primary: IPFamily
    public var isDualStack: Bool

    /// - Parameters:
    ///   - supported: those this kernel and its iptables can do; not none.
    ///   - bindAddress: decides the primary one unless it is unspecified.
    ///   - hostAddresses: the Node's, the first of which decides it otherwise; none where the Node is not known.
    public init(supported: Set<IPFamily>, bindAddress: IPAddress, hostAddresses: [IPAddress] = []) {
        isDualStack = supported.count > 1
        let usual: IPFamily = isDualStack || supported.contains(.ipv4) ? .ipv4 : .ipv6
        let ofNode = hostAddresses.first { supported.contains($0.family) }?.family
        primary = bindAddress.isUnspecified ? ofNode ?? usual : bindAddress.family
    }

    /// For tests of what follows from it.
    init(primary: IPFamily, isDualStack: Bool) {
        self.primary = primary
        self.isDualStack = isDualStack
    }
}

/// What of a configuration does not fit the node.
public struct FamilyMismatches: Hashable, Sendable {
    /// What was most likely meant otherwise.
    public var warnings: [String] = []
    /// What cannot work.
    public var errors: [String] = []
}

extension ProxyConfiguration {
    /// What is not meant so, or cannot work, with these families (kube-proxy's `checkBadConfig` and `checkBadIPConfig`).
    ///
    /// - Parameter podCIDRs: the Node's ranges, as far as they are known.
    public func familyMismatches(_ families: NodeFamilies, podCIDRs: [CIDR] = []) -> FamilyMismatches {
        var familyMismatches = FamilyMismatches()
        if let doubt = nodePortFamilyProblem(families, podCIDRs) { familyMismatches.warnings.append(doubt) }
        let cluster = "cluster is \(families.primary.rawValue)-\(families.isDualStack ? "primary" : "only")"
        let other = families.primary.other
        func isFamilyMismatch(_ ranges: [CIDR]) -> Bool { !ranges.isEmpty && ranges.allSatisfy { $0.family == other } }
        if isFamilyMismatch(clusterCIDRs) {
            let message = "\(cluster) but clusterCIDRs contains only \(other.rawValue) addresses"
            if families.isDualStack { familyMismatches.warnings.append(message) } else { familyMismatches.errors.append(message) }
        }
        if isFamilyMismatch(podCIDRs) {
            let message = "\(cluster) but node.spec.podCIDRs contains only \(other.rawValue) addresses"
            if localTraffic == .nodeCIDR { familyMismatches.errors.append(message) } else { familyMismatches.warnings.append(message) }
        }
        guard !families.isDualStack else { return familyMismatches }
        if isFamilyMismatch(excludeCIDRs) {
            familyMismatches.warnings.append("\(cluster) but ipvs.excludeCIDRs contains only \(other.rawValue) addresses")
        }
        for (name, address) in [("healthzBindAddress", healthzBindAddress), ("metricsBindAddress", metricsBindAddress)] {
            guard let address = address?.address, address.family == other, !address.isUnspecified else { continue }
            familyMismatches.warnings.append("\(cluster) but \(name) is \(other.rawValue)")
        }
        return familyMismatches
    }

    /// Where node ports answer on more addresses than one may think.
    private func nodePortFamilyProblem(_ families: NodeFamilies, _ podCIDRs: [CIDR]) -> String? {
        let (primary, other) = (families.primary, families.primary.other)
        switch nodePortAddresses {
        case .primary: return nil
        case .all:
            return
                "nodePortAddresses is unset; NodePort connections will be accepted on all local IPs. Consider using `--nodeport-addresses primary`"
        case .ranges(let ranges):
            let ofPrimary = ranges.count { $0.family == primary }
            let isDualStack = [clusterCIDRs, ranges, excludeCIDRs, podCIDRs].contains { Set($0.map(\.family)).count == 2 }
            if isDualStack, ofPrimary == ranges.count {
                return
                    "cluster appears to be dual-stack but nodePortAddresses contains only \(primary.rawValue) addresses; NodePort connections will be accepted on all local \(other.rawValue) IPs"
            }
            guard ofPrimary == 0 else { return nil }
            return
                "cluster appears to be \(primary.rawValue)-primary but nodePortAddresses contains only \(other.rawValue) addresses; NodePort connections will be accepted on all local \(primary.rawValue) IPs"
        }
    }

    private var clusterCIDRs: [CIDR] { if case .clusterCIDR(let ranges) = localTraffic { ranges } else { [] } }
}
