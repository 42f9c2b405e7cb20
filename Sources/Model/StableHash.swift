/// A 64-bit FNV-1a hash (RFC 9923). Unlike `Hasher`, it is the same in every process.
public struct StableHash: Hashable, Sendable {
    public private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    public init(_ text: String) {
        for byte in text.utf8 { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
}
