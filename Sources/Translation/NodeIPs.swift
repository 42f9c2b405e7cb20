public import Model

/// The addresses that stand for this node, one a family, and the family that counts first.
public struct NodeIPs: Hashable, Sendable {
    public var primary: IPFamily
    /// The primary family's first; empty where none is known.
    public var addresses: [IPAddress]

    /// - Parameters:
    ///   - hostAddresses: the Node object's, one a family.
    ///   - bindAddress: takes the place of the one of its family, and makes it the primary family; unspecified for no change.
    public init(hostAddresses: [IPAddress], bindAddress: IPAddress) {
        let isOverridden = !bindAddress.isUnspecified
        let primary = isOverridden ? bindAddress.family : hostAddresses.first?.family ?? .ipv4
        var known = hostAddresses.filter { !isOverridden || $0.family != bindAddress.family }
        if isOverridden { known.insert(bindAddress, at: 0) }
        self.primary = primary
        addresses = known.filter { $0.family == primary } + known.filter { $0.family != primary }
    }
}
