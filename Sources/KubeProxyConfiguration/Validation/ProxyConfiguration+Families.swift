public import Model
internal import Translation

/// The IP families that a node serves.
public struct NodeFamilies: Hashable, Sendable {
    public var primary: IPFamily
    public var isDualStack: Bool

    /// - Parameters:
    ///   - supported: The families that the kernel and iptables support; not empty.
    ///   - bindAddress: Determines the primary family, unless it is unspecified.
    ///   - hostAddresses: The Node's addresses, of which the first supported one determines it otherwise; empty if the Node is unknown.
    public init(supported: Set<IPFamily>, bindAddress: IPAddress, hostAddresses: [IPAddress] = []) {
        isDualStack = supported.count > 1
        let defaultFamily: IPFamily = isDualStack || supported.contains(.ipv4) ? .ipv4 : .ipv6
        let ofNode = hostAddresses.first { supported.contains($0.family) }?.family
        primary = bindAddress.isUnspecified ? ofNode ?? defaultFamily : bindAddress.family
    }

    /// For tests.
    init(primary: IPFamily, isDualStack: Bool) {
        self.primary = primary
        self.isDualStack = isDualStack
    }
}

/// Settings that do not match the families of the node.
public struct FamilyMismatches: Hashable, Sendable {
    /// Settings that are probably unintended.
    public var warnings: [String] = []
    /// Settings that cannot work.
    public var errors: [String] = []
}

extension ProxyConfiguration {
    /// Returns the settings that do not match the node's families (kube-proxy's `checkBadConfig` and `checkBadIPConfig`).
    ///
    /// - Parameter podCIDRs: The pod CIDRs of the Node; empty if unknown.
    public func familyMismatches(_ families: NodeFamilies, podCIDRs: [CIDR] = []) -> FamilyMismatches {
        var familyMismatches = FamilyMismatches()
        if let warning = nodePortFamilyProblem(families, podCIDRs) { familyMismatches.warnings.append(warning) }
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

    /// Returns a warning if node ports may be served on more addresses than expected.
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
