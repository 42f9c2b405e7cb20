internal import Model

/// One expression of a rule (linux/netfilter/nf_tables.h).
enum NFTExpression: Hashable, Sendable {
    /// The header that an offset counts from.
    enum Base: Hashable, Sendable { case network, transport }

    enum Verdict: Hashable, Sendable {
        case accept, drop, returning
        /// To a chain of the same table (`NFT_JUMP`).
        case jump(String)
    }

    enum MetaKey: Hashable, Sendable {
        /// The number of the transport protocol, 1 byte (`meta l4proto`).
        case transport
        /// The name, padded with NUL to 16 bytes (`meta iifname`).
        case inputInterface
        /// 4 bytes in host order.
        case mark
    }

    /// Loads `length` bytes of the packet.
    case payload(Base, offset: Int, length: Int, to: NFTRegister)
    case meta(MetaKey, to: NFTRegister)
    case setMark(from: NFTRegister)
    /// Loads the state's bit, 4 bytes in host order (`ct state`).
    case conntrackState(to: NFTRegister)
    /// `to` = (`from` & mask) ^ xor; both have the length of the value.
    case bitwise(from: NFTRegister, to: NFTRegister, mask: [UInt8], xor: [UInt8])
    /// Ends the rule unless the register has, or does not have, this value.
    case compare(NFTRegister, isEqual: Bool, [UInt8])
    /// Ends the rule unless the key that starts in the register is, or is not, in the set.
    case lookup(set: String, NFTRegister, isNegated: Bool)
    /// Loads the type of an address of the packet: the number `RTN_*`, 4 bytes in host order (`fib saddr type`, `fib daddr type`).
    case addressType(isSource: Bool, to: NFTRegister)
    case verdict(Verdict)
    /// Counts the packet in a named counter of the table.
    case counter(String)
    case masquerade(isFullyRandom: Bool)
    /// Sets the destination of the connection to the address in the register, and keeps the port (`dnat to`).
    case destinationNAT(IPFamily, to: NFTRegister)
    case reject(NFTReject)
    /// An expression that this program does not write: its name, `goto CHAIN`, or `target NAME` for a target of iptables-nft. The kernel rejects
    /// a rule with it.
    case other(String)
}

/// For people: what a rule of others does, without all details.
extension NFTExpression: CustomStringConvertible {
    var description: String {
        switch self {
        case .payload(let base, let offset, let length, _): "@\(base == .network ? "nh" : "th"),\(offset * 8),\(length * 8)"
        case .meta(.transport, _): "meta l4proto"
        case .meta(.inputInterface, _): "iifname"
        case .meta(.mark, _): "meta mark"
        case .setMark: "meta mark set"
        case .conntrackState: "ct state"
        case .bitwise: "&"
        case .compare(_, let isEqual, let value):
            "\(isEqual ? "==" : "!=") 0x\(value.hex)"
        case .lookup(let set, _, let isNegated): "\(isNegated ? "!= " : "")@\(set)"
        case .addressType(let isSource, _): "fib \(isSource ? "saddr" : "daddr") type"
        case .verdict(.accept): "accept"
        case .verdict(.drop): "drop"
        case .verdict(.returning): "return"
        case .verdict(.jump(let chain)): "jump \(chain)"
        case .counter(let name): "counter name \(name)"
        case .masquerade: "masquerade"
        case .destinationNAT: "dnat"
        case .reject: "reject"
        case .other(let name): name
        }
    }
}

/// The answer to a rejected packet.
enum NFTReject: Hashable, Sendable {
    case tcpReset
    /// Destination unreachable (`NFT_REJECT_ICMP_UNREACH`), with this code of ICMP or ICMPv6, by the family of the table.
    case icmp(UInt8)
}

/// A register of 32 bits, from 0 to 15. Longer values take several in succession, as do the parts of a concatenation, each padded to 4 bytes.
struct NFTRegister: Hashable, Sendable {
    let number: Int

    init(_ number: Int) { self.number = number }

    static let first = NFTRegister(0)
}

extension [UInt8] {
    /// Two digits for each byte.
    var hex: String { map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
}
