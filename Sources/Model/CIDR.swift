/// A block of addresses, always with the host bits cleared.
public struct CIDR: Hashable, Sendable, LosslessStringConvertible {
    /// The first address of the block.
    public let address: IPAddress
    private let length: UInt8
    /// 0…32 or 0…128.
    public var prefixLength: Int { Int(length) }

    /// The block of `prefixLength` bits that contains `address`; nil if the length is out of range for the family.
    public init?(_ address: IPAddress, prefixLength: Int) {
        guard (0...address.family.addressBits).contains(prefixLength) else { return nil }
        let mask = CIDR.mask(prefixLength + (address.family == .ipv4 ? 96 : 0))
        self.address = IPAddress(family: address.family, high: address.high & mask.high, low: address.low & mask.low)
        length = UInt8(prefixLength)
    }

    /// Parses `10.0.0.0/8` or `fd00::/64`; host bits are cleared.
    public init?(_ description: String) {
        guard let slash = description.lastIndex(of: "/"),
            let address = IPAddress(description[..<slash]),
            let length = UInt8(description[description.index(after: slash)...], radix: 10)
        else { return nil }
        self.init(address, prefixLength: Int(length))
    }

    /// The block of one address: /32 or /128.
    public init(host address: IPAddress) {
        self.address = address
        length = UInt8(address.family.addressBits)
    }

    private init(address: IPAddress, length: UInt8) {
        self.address = address
        self.length = length
    }

    /// The loopback addresses of a family: `127.0.0.0/8` or `::1/128`.
    public static func loopback(_ family: IPFamily) -> CIDR {
        family == .ipv4
            ? CIDR(address: IPAddress(v4: 0x7f00_0000), length: 8) : CIDR(host: IPAddress(family: .ipv6, high: 0, low: 1))
    }

    public var family: IPFamily { address.family }

    public func contains(_ other: IPAddress) -> Bool {
        other.family == family && CIDR(other, prefixLength: prefixLength)?.address == address
    }

    public var lastAddress: IPAddress {
        let mask = CIDR.mask(prefixLength + (family == .ipv4 ? 96 : 0))
        let low = address.low | (family == .ipv4 ? ~mask.low & 0xffff_ffff : ~mask.low)
        return IPAddress(family: family, high: family == .ipv4 ? 0 : address.high | ~mask.high, low: low)
    }

    /// The number of addresses in the block, capped at `UInt64.max`.
    public var count: UInt64 {
        let hostBits = family.addressBits - prefixLength
        return hostBits >= 64 ? .max : 1 << UInt64(hostBits)
    }

    public var description: String { "\(address)/\(prefixLength)" }

    private static func mask(_ length: Int) -> (high: UInt64, low: UInt64) {
        (high: bits(min(length, 64)), low: bits(max(length - 64, 0)))
    }

    private static func bits(_ count: Int) -> UInt64 {
        count == 0 ? 0 : ~0 << UInt64(64 - count)
    }
}

extension [CIDR] {
    /// The blocks that no other block of the array contains, each once.
    public var withoutCovered: [CIDR] {
        var kept: [CIDR] = []
        var known: Set<CIDR> = []
        for block in sorted(by: { $0.prefixLength < $1.prefixLength }) {
            let isCovered = (0...block.prefixLength).contains { length in
                CIDR(block.address, prefixLength: length).map(known.contains) ?? false
            }
            if isCovered { continue }
            known.insert(block)
            kept.append(block)
        }
        return kept
    }
}
