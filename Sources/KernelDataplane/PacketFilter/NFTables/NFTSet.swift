/// A named set of a table.
struct NFTSet: Hashable, Sendable {
    /// A part of the key, in the packet's format.
    enum Part: CaseIterable, Hashable, Sendable { case ipv4Address, ipv6Address, `protocol`, port }

    var name: String
    /// In order; empty for a set of others with another key, or with values, timeouts or other extensions.
    var key: [Part]
    /// Whether elements may be intervals; only for keys of two or more parts, as nf_tables encodes intervals of one part differently.
    var hasIntervals = false
}

extension NFTSet.Part {
    /// The length in bytes, without padding.
    var length: Int {
        switch self {
        case .ipv4Address: 4
        case .ipv6Address: 16
        case .protocol: 1
        case .port: 2
        }
    }

    var paddedLength: Int { (length + 3) & ~3 }

    /// The number of nft's data type (`enum datatypes`, nftables include/datatype.h), which only nft interprets.
    var typeNumber: UInt32 {
        switch self {
        case .ipv4Address: 7
        case .ipv6Address: 8
        case .protocol: 12
        case .port: 13
        }
    }
}

extension [NFTSet.Part] {
    /// nft's number of the key: 6 bits per part.
    var typeNumber: UInt32 { reduce(0) { $0 << 6 | $1.typeNumber } }

    /// The length of the key in bytes (`NFTA_SET_KEY_LEN`).
    var keyLength: Int { count == 1 ? self[0].length : reduce(0) { $0 + $1.paddedLength } }

    /// Nil if a part is of another type.
    init?(typeNumber: UInt32) {
        var parts: [NFTSet.Part] = []
        var rest = typeNumber
        while rest != 0 {
            guard let part = NFTSet.Part.allCases.first(where: { $0.typeNumber == rest & 0x3f }) else { return nil }
            parts.insert(part, at: 0)
            rest >>= 6
        }
        self = parts
    }
}

/// An element of a set: a key or an interval of keys.
struct NFTElement: Hashable, Sendable {
    /// The value of the part; for a key of several parts, all of them, each padded with zeros to a multiple of 4 bytes.
    let key: [UInt8]
    /// For an interval, the last value of each part, in the same format; nil if that is the key itself.
    let keyEnd: [UInt8]?

    init(key: [UInt8], keyEnd: [UInt8]? = nil) {
        self.key = key
        self.keyEnd = keyEnd == key ? nil : keyEnd
    }
}
