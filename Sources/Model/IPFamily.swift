/// One of the two families of IP.
///
/// The raw value is the spelling of `EndpointSlice.addressType`, `Service.spec.ipFamilies` and kube-proxy's `ip_family` metric label.
public enum IPFamily: String, Hashable, Sendable, CaseIterable, Codable {
    case ipv4 = "IPv4"
    case ipv6 = "IPv6"

    public var other: IPFamily { self == .ipv4 ? .ipv6 : .ipv4 }

    /// Bytes of an address: 4 or 16.
    public var addressBytes: Int { self == .ipv4 ? 4 : 16 }

    /// Bits of an address: 32 or 128.
    public var addressBits: Int { addressBytes * 8 }
}
