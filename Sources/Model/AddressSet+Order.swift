extension AddressSet.Member: Comparable {
    /// By kind, then address, transport and port.
    public static func < (lhs: AddressSet.Member, rhs: AddressSet.Member) -> Bool {
        switch (lhs, rhs) {
        case (.address(let a), .address(let b)): a < b
        case (.addressPort(let a, let over), .addressPort(let b, let other)): (a, over) < (b, other)
        case (.addressPortAddress(let a, let over, let from), .addressPortAddress(let b, let other, let origin)):
            (a, over, from) < (b, other, origin)
        case (.addressPortNet(let a, let over, let net), .addressPortNet(let b, let other, let range)):
            (a, over, net.address, net.prefixLength) < (b, other, range.address, range.prefixLength)
        case (.port(let a), .port(let b)): a < b
        default: lhs.rank < rhs.rank
        }
    }

    private var rank: Int {
        switch self {
        case .address: 0
        case .addressPort: 1
        case .addressPortAddress: 2
        case .addressPortNet: 3
        case .port: 4
        }
    }
}
