/// This program's iptables chains in one family and the jumps to them.
///
/// Rules have the form that `iptables-save` prints, so that desired and observed text compare directly.
public struct Rules: Hashable, Sendable {
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

        /// What follows the chain's name: `-m comment --comment "…" -j KUBE-…`.
        public var specification: String { "-m comment --comment \"\(comment)\" -j \(to)" }

        public var description: String { "\(table.rawValue) \(from) \(specification)" }
    }

    public var family: IPFamily
    /// What follows `-A <chain> ` in each rule, in order.
    public var chains: [Chain: [String]]
    /// In the order of insertion at the top of their chains.
    public var jumps: [Jump]

    public init(_ family: IPFamily, chains: [Chain: [String]] = [:], jumps: [Jump] = []) {
        self.family = family
        self.chains = chains
        self.jumps = jumps
    }
}
