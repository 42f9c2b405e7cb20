/// A chain of a table.
struct NFTChain: Hashable, Sendable {
    /// The place of a base chain in the path of packets.
    struct Hook: Hashable, Sendable {
        enum Point: String, CaseIterable, Hashable, Sendable { case prerouting, input, forward, output, postrouting }
        enum ChainType: String, CaseIterable, Hashable, Sendable { case filter, nat, route }

        var point: Point
        var type: ChainType
        var priority: Int32
    }

    var name: String
    /// Nil for a regular chain.
    var hook: Hook?
    /// Whether a base chain drops packets that reach its end; this program writes chains that accept them.
    var policyIsDrop = false
}

/// A base chain of any table.
struct NFTBaseChain: Hashable, Sendable {
    /// As nft names it: ip, ip6 or inet.
    var family: String
    var table: String
    var chain: NFTChain
}
