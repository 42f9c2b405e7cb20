/// An ipset: addresses and ports that a rule matches in one step.
public struct AddressSet: Hashable, Sendable {
    public enum Member: Hashable, Sendable, CustomStringConvertible {
        case address(IPAddress)
        case addressPort(AddressPort, Transport)
        case addressPortAddress(AddressPort, Transport, IPAddress)
        case addressPortNet(AddressPort, Transport, CIDR)
        case port(UInt16)

        /// As `ipset save` writes it: `10.96.0.1,tcp:80,10.244.0.5`.
        public var description: String {
            switch self {
            case .address(let address): "\(address)"
            case .addressPort(let at, let transport): "\(at.address),\(transport.lowercaseName):\(at.port)"
            case .addressPortAddress(let at, let transport, let source): "\(at.address),\(transport.lowercaseName):\(at.port),\(source)"
            case .addressPortNet(let at, let transport, let net):
                "\(at.address),\(transport.lowercaseName):\(at.port),\(net.prefixLength == net.family.addressBits ? "\(net.address)" : "\(net)")"
            case .port(let port): "\(port)"
            }
        }
    }

    /// At most 31 bytes (`IPSET_MAXNAMELEN`, `linux/netfilter/ipset/ip_set.h`).
    public struct Name: Hashable, Sendable, Comparable, CustomStringConvertible {
        public let text: String
        public init(_ text: String) { self.text = String(text.utf8.prefix(31)) ?? text }
        public var description: String { text }
        public static func < (lhs: Name, rhs: Name) -> Bool { lhs.text < rhs.text }
    }

    public var name: Name
    public var kind: AddressSetType
    /// Ignored for `bitmap:port`.
    public var family: IPFamily
    /// Members it may hold; 65536 in sets that kube-proxy made. Not part of what makes two sets alike unless members do not fit.
    public var capacity: UInt32
    /// Each member with the Service port it stands for, nil where that is not known.
    public var members: [Member: ServiceOrigin?]

    public init(
        _ name: Name, kind: AddressSetType, family: IPFamily, capacity: UInt32 = AddressSet.defaultCapacity,
        members: [Member: ServiceOrigin?] = [:]
    ) {
        self.name = name
        self.kind = kind
        self.family = family
        self.capacity = capacity
        self.members = members
    }

    /// What ipset and kube-proxy use.
    public static let defaultCapacity: UInt32 = 65536

    /// Whether members of one fit the other: same kind and, for hashes, same family.
    public func isShapedLike(_ other: AddressSet) -> Bool {
        kind == other.kind && (kind == .bitmapPort || family == other.family)
    }
}

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

/// What members look like (`man ipset`).
public enum AddressSetType: String, Hashable, Sendable, CaseIterable {
    case hashIP = "hash:ip"
    case hashIPPort = "hash:ip,port"
    case hashIPPortIP = "hash:ip,port,ip"
    case hashIPPortNet = "hash:ip,port,net"
    case bitmapPort = "bitmap:port"
}
