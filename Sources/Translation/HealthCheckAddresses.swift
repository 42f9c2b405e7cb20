public import Model

/// On which of this node's addresses of a family health check node ports listen.
public enum HealthCheckAddresses: Hashable, Sendable {
    case all
    case only([IPAddress])
}

extension NodePortAddresses {
    /// Where node ports answer and, unlike them, on loopback addresses too, if a range has them.
    ///
    /// - Parameters:
    ///   - local: addresses of this node on all interfaces but `kube-ipvs0`.
    ///   - primary: the Node object's first address of each family.
    func healthCheckAddresses(_ family: IPFamily, local: Set<IPAddress>, primary: [IPAddress]) -> HealthCheckAddresses {
        switch self {
        case .all: return .all
        case .primary: return .only(primary.filter { $0.family == family })
        case .ranges(let ranges):
            let ours = ranges.filter { $0.family == family }
            if ours.isEmpty || ours.contains(where: { $0.prefixLength == 0 }) { return .all }
            return .only(local.filter { address in ours.contains { $0.contains(address) } }.sorted())
        }
    }
}
