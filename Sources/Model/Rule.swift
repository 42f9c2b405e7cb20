/// A rule of the packet filter: if all its matches apply to a packet, its verdict is carried out.
public struct Rule: Hashable, Sendable {
    /// For people who list the rules.
    public var comment: String?
    /// In the order of `Match.rank`: options of the packet's header come first, as in iptables.
    public let matches: [Match]
    public var verdict: Verdict

    public init(_ matches: [Match] = [], _ verdict: Verdict, comment: String? = nil) {
        self.comment = comment
        // A stable sort: equal rules are equal values.
        self.matches = (0...Match.lastRank).flatMap { rank in matches.filter { $0.rank == rank } }
        self.verdict = verdict
    }

    /// A rule of others, or one that this program does not create.
    ///
    /// - Parameter text: as the packet filter prints it.
    public static func other(_ text: String) -> Rule { Rule([], .other(text)) }

    /// Which address and port of a packet a match compares.
    public enum Side: String, Hashable, Sendable, CaseIterable { case source, destination }

    /// The state of a packet's connection (`nf_conntrack_common.h`, `enum ip_conntrack_info`).
    public enum ConnectionState: String, Hashable, Sendable, CaseIterable { case new, related, established }

    public enum Match: Hashable, Sendable {
        /// The source address is in the range.
        case source(CIDR, isNegated: Bool = false)
        /// The interface through which the packet came in has this name, or a name that starts with it.
        case inputInterface(String, isPrefix: Bool = false, isNegated: Bool = false)
        case transport(Transport, isNegated: Bool = false)
        /// An ICMP or ICMPv6 echo request.
        case echoRequest
        /// The set contains the parts of the packet: for each part of its members, on which side it is. A protocol belongs to the port before it
        /// and has no side of its own: `[.destination, .destination, .source]` for `hash:ip,port,ip`.
        case set(AddressSet.Name, [Side])
        /// All bits of the mark are set.
        case mark(UInt32, isNegated: Bool = false)
        /// The address is a local address of this node.
        case isLocal(Side, isNegated: Bool = false)
        case connection([ConnectionState])
        /// The packet came in through a port of a bridge.
        case bridgePort(isNegated: Bool = false)
        /// The packet was sent to this virtual server.
        case virtualServer(VirtualServer.Identity)

        /// The position of the match in a rule.
        fileprivate var rank: Int {
            switch self {
            case .source: 0
            case .inputInterface: 1
            case .transport, .echoRequest: 2
            case .set, .mark, .isLocal, .connection, .bridgePort, .virtualServer: Match.lastRank
            }
        }

        fileprivate static let lastRank = 3
    }

    public enum Verdict: Hashable, Sendable {
        /// Ends the chains of this table for the packet.
        case accept
        case drop
        /// Continues after the rule that jumped to the chain.
        case `return`
        /// Continues in another chain of the same table.
        case jump(String)
        /// Replaces the source address by that of the interface through which the packet leaves.
        case masquerade(isFullyRandom: Bool)
        /// Sets these bits of the mark, and continues.
        case setMark(UInt32)
        /// Inverts these bits of the mark, and continues.
        case invertMark(UInt32)
        /// Drops the packet and sends a reply.
        case reject(Reply)
        /// The text of a rule that this program does not create.
        case other(String)
    }

    /// The reply to a rejected packet.
    public enum Reply: String, Hashable, Sendable, CaseIterable { case tcpReset, portUnreachable, protocolUnreachable }
}
