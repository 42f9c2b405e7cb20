public import Model

/// What the addresses of a slice are (`EndpointSlice.addressType`).
public enum AddressType: String, Hashable, Sendable, CaseIterable {
    case ipv4 = "IPv4"
    case ipv6 = "IPv6"
    case fqdn = "FQDN"

    public init(_ family: IPFamily) {
        self = family == .ipv4 ? .ipv4 : .ipv6
    }

    /// The family of the addresses; nil for names.
    public var family: IPFamily? {
        switch self {
        case .ipv4: .ipv4
        case .ipv6: .ipv6
        case .fqdn: nil
        }
    }
}
