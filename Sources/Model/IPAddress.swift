/// An IPv4 or IPv6 address.
///
/// An IPv4-mapped IPv6 address (`::ffff:10.0.0.1`) is the IPv4 address it carries, as Kubernetes treats it.
public struct IPAddress: Hashable, Sendable {
    /// The first eight bytes, most significant first; zero for IPv4.
    let high: UInt64
    /// The last eight bytes, most significant first; the four bytes of an IPv4 address are its low half.
    let low: UInt64
    // Last, so that what holds an address has its own small fields beside it: there are hundreds of thousands of them.
    public let family: IPFamily

    init(family: IPFamily, high: UInt64, low: UInt64) {
        self.family = family
        self.high = high
        self.low = low
    }

    /// An IPv4 address from its 32 bits, most significant byte first.
    public init(v4 bits: UInt32) {
        self.init(family: .ipv4, high: 0, low: UInt64(bits))
    }

    /// An address from 4 or 16 bytes in network order; nil for any other count.
    public init?(bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4:
            self.init(v4: bytes.reduce(0) { $0 << 8 | UInt32($1) })
        case 16:
            let high = bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let low = bytes.dropFirst(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            self.init(sixteenHigh: high, low: low)
        default:
            return nil
        }
    }

    /// An IPv6 address, or the IPv4 one it maps.
    init(sixteenHigh high: UInt64, low: UInt64) {
        if high == 0, low >> 32 == 0xffff {
            self.init(v4: UInt32(truncatingIfNeeded: low))
        } else {
            self.init(family: .ipv6, high: high, low: low)
        }
    }

    /// The address in network order: 4 or 16 bytes.
    public var bytes: [UInt8] {
        let lowBytes = (0..<8).reversed().map { UInt8(truncatingIfNeeded: low >> ($0 * 8)) }
        guard family == .ipv6 else { return Array(lowBytes.suffix(4)) }
        return (0..<8).reversed().map { UInt8(truncatingIfNeeded: high >> ($0 * 8)) } + lowBytes
    }

    /// `0.0.0.0` or `::`.
    public var isUnspecified: Bool { high == 0 && low == 0 }

    /// `127.0.0.0/8` or `::1`.
    public var isLoopback: Bool {
        family == .ipv4 ? low >> 24 == 127 : high == 0 && low == 1
    }

    /// `169.254.0.0/16` or `fe80::/10`.
    public var isLinkLocal: Bool {
        family == .ipv4 ? low >> 16 == 0xa9fe : high >> 54 == 0x3fa
    }

    /// `224.0.0.0/4` or `ff00::/8`.
    public var isMulticast: Bool {
        family == .ipv4 ? low >> 28 == 0xe : high >> 56 == 0xff
    }

    /// `0.0.0.0/8` or `255.255.255.255`: of no host, or of all (RFC 1122 §3.2.1.3).
    ///
    /// The rest of `240.0.0.0/4` is not: some clouds have pods there.
    public var isReserved: Bool {
        family == .ipv4 && (low >> 24 == 0 || low == 0xffff_ffff)
    }

    /// An address that belongs to every host or link or to none: as a Service's or an endpoint's it would lead traffic astray or cut the node off.
    public var isHarmfulAsService: Bool { isUnspecified || isLoopback || isLinkLocal || isMulticast || isReserved }

    /// The address `offset` further on, wrapping at the end of the family's space.
    public func advanced(by offset: UInt64) -> IPAddress {
        if family == .ipv4 {
            return IPAddress(v4: UInt32(truncatingIfNeeded: low &+ offset))
        }
        let (sum, carry) = low.addingReportingOverflow(offset)
        return IPAddress(family: .ipv6, high: carry ? high &+ 1 : high, low: sum)
    }
}

extension IPAddress: Comparable {
    /// IPv4 before IPv6, then by number.
    public static func < (lhs: IPAddress, rhs: IPAddress) -> Bool {
        if lhs.family != rhs.family { return lhs.family == .ipv4 }
        return (lhs.high, lhs.low) < (rhs.high, rhs.low)
    }
}
