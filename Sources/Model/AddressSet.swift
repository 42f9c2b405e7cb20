/// A set of the packet filter: addresses and ports that one rule matches.
public struct AddressSet: Hashable, Sendable {
    public enum Member: Hashable, Sendable, CustomStringConvertible {
        case address(IPAddress)
        case addressPort(AddressPort, Transport)
        // The two large and rare ones are allocated apart: there are tens of thousands of members, in four dictionaries.
        indirect case addressPortAddress(AddressPort, Transport, IPAddress)
        indirect case addressPortNet(AddressPort, Transport, CIDR)
        case port(UInt16)

        /// All members of a set are of one kind, so that the kind is left out.
        public func hash(into hasher: inout Hasher) {
            switch self {
            case .address(let address): hasher.combine(address)
            case .addressPort(let location, let transport): location.hash(with: transport.number, into: &hasher)
            case .addressPortAddress(let location, let transport, let source):
                location.hash(with: transport.number, into: &hasher)
                hasher.combine(source)
            case .addressPortNet(let location, let transport, let net):
                location.hash(with: transport.number, into: &hasher)
                hasher.combine(net)
            case .port(let port): hasher.combine(port)
            }
        }

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
        /// What contains the set.
        public enum Store: Hashable, Sendable {
            case ipset
            /// This program's table of nf_tables in the family.
            case table(IPFamily)
        }

        public let text: String
        public let store: Store

        public init(_ text: String, in store: Store = .ipset) {
            self.text = String(text.utf8.prefix(31)) ?? text
            self.store = store
        }

        public var description: String { text }
        public static func < (lhs: Name, rhs: Name) -> Bool { lhs.text < rhs.text }
    }

    public var name: Name
    public var kind: AddressSetType
    /// Ignored for `bitmap:port`.
    public var family: IPFamily
    /// The maximum number of members; 65536 in sets that kube-proxy created. A different capacity matters only if the members do not fit.
    public var capacity: UInt32
    /// Each member with the Service port it belongs to, nil if unknown.
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

    /// The default of ipset and kube-proxy.
    public static let defaultCapacity: UInt32 = 65536
    /// The capacity of sets in nf_tables, which have no maximum.
    public static let unlimited = UInt32.max

    /// Whether both sets take the same members: same kind and, for hashes, same family.
    public func hasSameType(as other: AddressSet) -> Bool {
        kind == other.kind && (kind == .bitmapPort || family == other.family)
    }
}

extension AddressSet.Member: Comparable {
    /// By kind, then address, transport and port.
    public static func < (lhs: AddressSet.Member, rhs: AddressSet.Member) -> Bool {
        switch (lhs, rhs) {
        case (.address(let a), .address(let b)): a < b
        case (.addressPort(let a, let p), .addressPort(let b, let q)): (a, p) < (b, q)
        case (.addressPortAddress(let a, let p, let s), .addressPortAddress(let b, let q, let t)):
            (a, p, s) < (b, q, t)
        case (.addressPortNet(let a, let p, let m), .addressPortNet(let b, let q, let n)):
            (a, p, m.address, m.prefixLength) < (b, q, n.address, n.prefixLength)
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

/// What the members of a set consist of, as a type of ipset (`man ipset`).
public enum AddressSetType: String, Hashable, Sendable, CaseIterable {
    case hashIP = "hash:ip"
    case hashIPPort = "hash:ip,port"
    case hashIPPortIP = "hash:ip,port,ip"
    case hashIPPortNet = "hash:ip,port,net"
    case bitmapPort = "bitmap:port"
}
