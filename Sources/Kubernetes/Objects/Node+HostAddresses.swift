public import Model

extension Node {
    /// The address that counts of each family (`Node.status.addresses`): all internal ones in order, then all external
    /// ones. The one of the primary family comes first.
    public var hostAddresses: [IPAddress] {
        let ordered = ["InternalIP", "ExternalIP"].flatMap { type in
            addresses.filter { $0.type == type }.compactMap { IPAddress($0.address) }
        }
        guard let first = ordered.first else { return [] }
        return [first] + [ordered.first { $0.family != first.family }].compactMap(\.self)
    }
}
