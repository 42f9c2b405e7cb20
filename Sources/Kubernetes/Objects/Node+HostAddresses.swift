public import Model

extension Node {
    /// The address that counts of each family (`Node.status.addresses`): all internal ones in order, then all external ones.
    public var hostAddresses: [IPAddress] {
        let ordered = ["InternalIP", "ExternalIP"].flatMap { type in
            addresses.filter { $0.type == type }.compactMap { IPAddress($0.address) }
        }
        return IPFamily.allCases.compactMap { family in ordered.first { $0.family == family } }
    }
}
