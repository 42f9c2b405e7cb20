/// An IPv4 or IPv6 address.
///
/// An IPv4-mapped IPv6 address (`::ffff:10.0.0.1`) is the IPv4 address it carries, as Kubernetes treats it.
public struct IPAddress: Hashable, Sendable {
    /// The first eight bytes, most significant first; zero for IPv4.
    let high: UInt64
    /// The last eight bytes, most significant first; the four bytes of an IPv4 address are its low half.
    let low: UInt64
    // Last, so that small fields of an enclosing type fit in beside it: there are hundreds of thousands of addresses.
    public let family: IPFamily

    package init(family: IPFamily, high: UInt64, low: UInt64) {
        self.family = family
        self.high = high
        self.low = low
    }

    // Fewer steps than all fields: there are hundreds of thousands of lookups. Only `1.2.3.4` and `::1.2.3.4` have the same hash.
    public func hash(into hasher: inout Hasher) {
        if high != 0 { hasher.combine(high) }
        hasher.combine(low)
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

    /// The 32 bits of an IPv4 address, most significant byte first; nil for IPv6.
    public var v4Bits: UInt32? { family == .ipv4 ? UInt32(truncatingIfNeeded: low) : nil }

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

    /// `0.0.0.0/8` or `255.255.255.255`: the address of no host or of all hosts (RFC 1122 §3.2.1.3).
    ///
    /// The rest of `240.0.0.0/4` does not count: some clouds use it for pods.
    public var isReserved: Bool {
        family == .ipv4 && (low >> 24 == 0 || low == 0xffff_ffff)
    }

    /// Whether the address belongs to every host or link, or to none. A Service or endpoint with such an address would misdirect traffic or
    /// cut the node off.
    public var isUnusableForServices: Bool { isUnspecified || isLoopback || isLinkLocal || isMulticast || isReserved }

    /// The address plus `offset`, wrapping at the end of the family's space.
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

// Text of addresses: RFC 4291 §2.2 in, RFC 5952 out; IPv4 octets with leading zeros are read as decimal, as Kubernetes reads them.

extension IPAddress: LosslessStringConvertible {
    /// Parses `10.96.0.1`, `010.096.0.1`, `fd00::1`, `::ffff:10.0.0.1`; nil for anything else (zones and ports included).
    public init?(_ text: some StringProtocol) {
        // There are tens of thousands of endpoints, almost all of them IPv4: those are parsed without a copy.
        if let bits = IPAddress.parseV4(text.utf8) {
            self.init(v4: bits)
        } else if text.utf8.contains(UInt8(ascii: ":")), let (high, low) = IPAddress.parseV6(Array(text.utf8)[...]) {
            self.init(sixteenHigh: high, low: low)
        } else {
            return nil
        }
    }

    public init?(_ description: String) {
        self.init(description[...])
    }

    private static func parseV4(_ text: some Sequence<UInt8>) -> UInt32? {
        var (bits, octet): (UInt32, UInt32) = (0, 0)
        var (digits, dots) = (0, 0)
        for character in text {
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                octet = octet * 10 + UInt32(character - UInt8(ascii: "0"))
                digits += 1
                guard digits <= 4, octet <= 255 else { return nil }
            case UInt8(ascii: "."):
                guard digits > 0, dots < 3 else { return nil }
                bits = bits << 8 | octet
                (octet, digits) = (0, 0)
                dots += 1
            default: return nil
            }
        }
        return digits > 0 && dots == 3 ? bits << 8 | octet : nil
    }

    private static func parseV6(_ text: ArraySlice<UInt8>) -> (UInt64, UInt64)? {
        guard let gap = firstDoubleColon(text) else {
            guard let words = parseWords(text), words.count == 8 else { return nil }
            return join(words)
        }
        let rest = text[(gap + 2)...]
        guard firstDoubleColon(rest) == nil, rest.first != UInt8(ascii: ":"),
            let before = gap == text.startIndex ? [] : parseWords(text[..<gap], endsAddress: false),
            let after = rest.isEmpty ? [] : parseWords(rest),
            before.count + after.count <= 7
        else { return nil }
        return join(before + Array(repeating: 0, count: 8 - before.count - after.count) + after)
    }

    private static func firstDoubleColon(_ text: ArraySlice<UInt8>) -> Int? {
        zip(text.indices, text.indices.dropFirst()).first { text[$0] == UInt8(ascii: ":") && text[$1] == UInt8(ascii: ":") }?.0
    }

    /// Sixteen-bit words between colons; the last may be an embedded IPv4 address (two words) if the text ends the address.
    private static func parseWords(_ text: ArraySlice<UInt8>, endsAddress: Bool = true) -> [UInt16]? {
        var words: [UInt16] = []
        let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if endsAddress, index == parts.count - 1, part.contains(UInt8(ascii: ".")) {
                guard let bits = parseV4(part) else { return nil }
                words += [UInt16(bits >> 16), UInt16(truncatingIfNeeded: bits)]
                continue
            }
            guard (1...4).contains(part.count), let digits = String(validating: part, as: UTF8.self),
                digits.allSatisfy(\.isHexDigit), let word = UInt16(digits, radix: 16)
            else { return nil }
            words.append(word)
        }
        return words
    }

    private static func join(_ words: [UInt16]) -> (UInt64, UInt64) {
        let high = words.prefix(4).reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        let low = words.suffix(4).reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        return (high, low)
    }

    public var description: String {
        guard family == .ipv6 else {
            return "\(low >> 24 & 0xff).\(low >> 16 & 0xff).\(low >> 8 & 0xff).\(low & 0xff)"
        }
        let words =
            (0..<4).map { UInt16(truncatingIfNeeded: high >> ((3 - $0) * 16)) }
            + (0..<4).map { UInt16(truncatingIfNeeded: low >> ((3 - $0) * 16)) }
        let zeros = IPAddress.longestZeroRun(words)
        func text(_ range: Range<Int>) -> String { words[range].map { String($0, radix: 16) }.joined(separator: ":") }
        guard zeros.count >= 2 else { return text(0..<8) }
        return text(0..<zeros.lowerBound) + "::" + text(zeros.upperBound..<8)
    }

    /// RFC 5952 §4.2.3: the longest run of zero words, the first of equals.
    private static func longestZeroRun(_ words: [UInt16]) -> Range<Int> {
        var best = 0..<0
        var start = 0
        for index in 0...words.count where index == words.count || words[index] != 0 {
            if index - start > best.count { best = start..<index }
            start = index + 1
        }
        return best
    }
}

/// An IP family.
///
/// The raw value is the spelling of `EndpointSlice.addressType`, `Service.spec.ipFamilies` and kube-proxy's `ip_family` metric label.
public enum IPFamily: String, Hashable, Sendable, CaseIterable, Codable {
    case ipv4 = "IPv4"
    case ipv6 = "IPv6"

    public var other: IPFamily { self == .ipv4 ? .ipv6 : .ipv4 }

    // Otherwise the raw value is hashed, a string in every address.
    public func hash(into hasher: inout Hasher) { hasher.combine(self == .ipv4) }

    /// Bytes of an address: 4 or 16.
    public var addressBytes: Int { self == .ipv4 ? 4 : 16 }

    /// Bits of an address: 32 or 128.
    public var addressBits: Int { addressBytes * 8 }
}
