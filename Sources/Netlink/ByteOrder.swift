// The one place that knows which end of a number comes first: netlink speaks the host's order except where a protocol says "network".

/// Reads a number in the host's order from the start of `bytes`; nil if there are too few.
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
