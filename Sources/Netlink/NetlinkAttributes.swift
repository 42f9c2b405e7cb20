internal import CNetlink

/// The attributes after a header or in a nest, in order; ends at the first one that does not fit.
public struct NetlinkAttributes: Sequence, IteratorProtocol, Sendable {
    public struct Attribute: Sendable {
        /// `nla_type` without the nested and byte-order bits.
        public var type: UInt16
        public var payload: ArraySlice<UInt8>

        public var u8: UInt8? { payload.first }
        public var u16: UInt16? { hostOrder(payload) }
        public var u32: UInt32? { hostOrder(payload) }
        public var u64: UInt64? { hostOrder(payload) }
        public var networkU16: UInt16? { networkOrder(payload) }
        public var networkU32: UInt32? { networkOrder(payload) }
        public var nested: NetlinkAttributes { NetlinkAttributes(payload) }

        /// The string up to the first NUL; nil if it is not UTF-8.
        public var string: String? { String(validating: payload.prefix { $0 != 0 }, as: UTF8.self) }
    }

    private var rest: ArraySlice<UInt8>

    public init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The first attribute, for nests that hold just one.
    public var firstAttribute: Attribute? {
        var copy = self
        return copy.next()
    }

    public mutating func next() -> Attribute? {
        guard let length: UInt16 = hostOrder(rest), let type: UInt16 = hostOrder(rest.dropFirst(2)), length >= 4, Int(length) <= rest.count
        else { return nil }
        let payload = rest.dropFirst(4).prefix(Int(length) - 4)
        rest = rest.dropFirst((Int(length) + 3) & ~3)
        return Attribute(type: type & ~UInt16(truncatingIfNeeded: NLA_F_NESTED | NLA_F_NET_BYTEORDER), payload: payload)
    }
}

// The only code that depends on byte order: netlink uses host order, except where a protocol specifies network order.

/// Reads a number in host order from the start of `bytes`; nil if there are too few.
public func hostOrder<Number: FixedWidthInteger>(_ bytes: ArraySlice<UInt8>, as type: Number.Type = Number.self) -> Number? {
    let width = Number.bitWidth / 8
    guard bytes.count >= width else { return nil }
    var value: Number = 0
    for index in 0..<width {
        #if _endian(little)
            value |= Number(truncatingIfNeeded: bytes[bytes.startIndex + index]) << Number(index * 8)
        #else
            value |= Number(truncatingIfNeeded: bytes[bytes.startIndex + index]) << Number((width - 1 - index) * 8)
        #endif
    }
    return value
}

/// Reads a number in network order from the start of `bytes`; nil if there are too few.
public func networkOrder<Number: FixedWidthInteger>(_ bytes: ArraySlice<UInt8>, as type: Number.Type = Number.self) -> Number? {
    hostOrder(bytes, as: type).map { Number(bigEndian: $0) }
}
