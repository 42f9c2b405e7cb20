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

    private let bytes: ArraySlice<UInt8>
    /// Where the next attribute starts.
    private var position: Int

    public init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    /// The first attribute, for nests that hold just one.
    public var firstAttribute: Attribute? {
        var copy = self
        return copy.next()
    }

    public mutating func next() -> Attribute? {
        let left = bytes.endIndex - position
        guard left >= 4 else { return nil }
        let (length, type) = unsafe bytes.withUnsafeBytes { bytes in
            let offset = bytes.count - left
            return unsafe (
                Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self)),
                bytes.loadUnaligned(fromByteOffset: offset + 2, as: UInt16.self)
            )
        }
        guard length >= 4, length <= left else { return nil }
        let payload = bytes[(position + 4)..<(position + length)]
        position += Swift.min((length + 3) & ~3, left)
        return Attribute(type: type & ~UInt16(truncatingIfNeeded: NLA_F_NESTED | NLA_F_NET_BYTEORDER), payload: payload)
    }
}

// The only code that depends on byte order: netlink uses host order, except where a protocol specifies network order.

/// Reads a number in host order from the start of `bytes`; nil if there are too few.
@inlinable
public func hostOrder<Number: FixedWidthInteger & BitwiseCopyable>(
    _ bytes: ArraySlice<UInt8>, as type: Number.Type = Number.self
) -> Number? {
    guard bytes.count >= MemoryLayout<Number>.size else { return nil }
    return unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(as: Number.self) }
}

/// Reads a number in network order from the start of `bytes`; nil if there are too few.
@inlinable
public func networkOrder<Number: FixedWidthInteger & BitwiseCopyable>(
    _ bytes: ArraySlice<UInt8>, as type: Number.Type = Number.self
) -> Number? {
    hostOrder(bytes, as: type).map { Number(bigEndian: $0) }
}
