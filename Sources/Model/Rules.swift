/// This program's chains of packet filter rules in one family, and the jumps to them.
public struct Rules: Hashable, Sendable {
    /// The tables of iptables. What they decide is the same in both packet filters.
    public enum Table: String, Hashable, Sendable, CaseIterable {
        case filter, nat, mangle
    }

    public struct Chain: Hashable, Sendable, Comparable, CustomStringConvertible {
        public var table: Table
        public var name: String

        public init(_ table: Table, _ name: String) {
            self.table = table
            self.name = name
        }

        public var description: String { "\(table.rawValue) \(name)" }

        public static func < (lhs: Chain, rhs: Chain) -> Bool {
            (lhs.table.rawValue, lhs.name) < (rhs.table.rawValue, rhs.name)
        }
    }

    /// A rule in a built-in chain that jumps to one of this program's chains.
    public struct Jump: Hashable, Sendable, CustomStringConvertible {
        public var table: Table
        /// `INPUT`, `FORWARD`, `OUTPUT`, `PREROUTING` or `POSTROUTING`.
        public var from: String
        public var comment: String
        public var to: String

        public init(_ table: Table, from: String, to: String, comment: String) {
            self.table = table
            self.from = from
            self.to = to
            self.comment = comment
        }

        /// The rule of the built-in chain.
        public var rule: Rule { Rule([], .jump(to), comment: comment) }

        public var description: String { "\(table.rawValue) \(from) to \(to)" }
    }

    public var family: IPFamily
    /// What carries them out.
    public var packetFilter: PacketFilterKind
    /// The rules of each chain, in order.
    public var chains: [Chain: [Rule]]
    /// In the order of insertion at the top of their chains.
    public var jumps: [Jump]

    public init(
        _ family: IPFamily, in packetFilter: PacketFilterKind = .iptables, chains: [Chain: [Rule]] = [:], jumps: [Jump] = []
    ) {
        self.family = family
        self.packetFilter = packetFilter
        self.chains = chains
        self.jumps = jumps
    }
}
