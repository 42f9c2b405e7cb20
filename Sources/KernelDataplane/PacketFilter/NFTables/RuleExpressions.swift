internal import CNetlink
internal import Glibc
internal import Model
internal import Netlink

/// A rule as expressions of nf_tables.
struct RuleExpressions {
    let family: IPFamily
    /// The types of the sets, by name.
    let kinds: [String: AddressSetType]

    /// The length of an interface's name with its NUL (`IFNAMSIZ`, linux/if.h).
    private static let interfaceNameBytes = 16

    /// The name of a chain in the table: `nat-KUBE-SERVICES`.
    static func name(_ chain: Rules.Chain) -> String { "\(chain.table.rawValue)-\(chain.name)" }

    /// The name of the counter of packets that a chain drops.
    static func counter(_ chain: Rules.Chain) -> String { name(chain) }

    /// The rule in a chain; nil if it never matches: packets do not pass the hooks of this table on a bridge (`physdev` in iptables), and
    /// rules of others are not restored.
    func rule(_ rule: Rule, in chain: Rules.Chain) -> NFTRule? {
        var expressions: [NFTExpression] = []
        for match in rule.matches {
            guard let matching = self.expressions(match, hasTransport: rule.hasTransport) else { return nil }
            expressions += matching
        }
        guard let verdict = self.expressions(rule.verdict, in: chain) else { return nil }
        return NFTRule(chain: RuleExpressions.name(chain), expressions: expressions + verdict, comment: rule.comment)
    }

    // MARK: Matches

    private func expressions(_ match: Rule.Match, hasTransport: Bool) -> [NFTExpression]? {
        switch match {
        case .source(let range, let isNegated): compare(.source, range, isEqual: !isNegated)
        case .inputInterface(let name, let isPrefix, let isNegated):
            [.meta(.inputInterface, to: .first), .compare(.first, isEqual: !isNegated, bytes(ofInterface: name, isPrefix: isPrefix))]
        case .transport(let transport, let isNegated): compare(protocol: transport.number, isEqual: !isNegated)
        case .echoRequest:
            compare(protocol: icmp.protocol) + [
                .payload(.transport, offset: 0, length: 1, to: .first), .compare(.first, isEqual: true, [icmp.echo]),
            ]
        case .set(let name, let sides): lookUp(name.text, sides, hasTransport: hasTransport)
        case .mark(let mark, let isNegated):
            [
                .meta(.mark, to: .first), .bitwise(from: .first, to: .first, mask: bytes(mark), xor: bytes(0)),
                .compare(.first, isEqual: !isNegated, bytes(mark)),
            ]
        case .isLocal(let side, let isNegated):
            [.addressType(isSource: side == .source, to: .first), .compare(.first, isEqual: !isNegated, bytes(UInt32(RTN_LOCAL)))]
        case .connection(let states):
            [
                .conntrackState(to: .first),
                .bitwise(from: .first, to: .first, mask: bytes(states.reduce(0) { $0 | $1.bit }), xor: bytes(0)),
                .compare(.first, isEqual: false, bytes(0)),
            ]
        case .bridgePort: nil
        case .virtualServer(let server):
            compare(.destination, CIDR(host: server.location.address), isEqual: true)
                + compare(protocol: server.transport.number)
                + [port(.destination, to: .first), .compare(.first, isEqual: true, server.location.port.networkBytes)]
        }
    }

    private var icmp: (protocol: UInt8, echo: UInt8) {
        family == .ipv4 ? (UInt8(IPPROTO_ICMP), 8) : (UInt8(IPPROTO_ICMPV6), 128)
    }

    /// The bytes of a name with NUL; without it, longer names match too.
    private func bytes(ofInterface name: String, isPrefix: Bool) -> [UInt8] {
        let name = Array(name.utf8.prefix(RuleExpressions.interfaceNameBytes - 1))
        return isPrefix ? name : name + Array(repeating: 0, count: RuleExpressions.interfaceNameBytes - name.count)
    }

    private func address(_ side: Rule.Side, to register: NFTRegister) -> NFTExpression {
        let offset =
            switch (family, side) {
            case (.ipv4, .source): 12
            case (.ipv4, .destination): 16
            case (.ipv6, .source): 8
            case (.ipv6, .destination): 24
            }
        return .payload(.network, offset: offset, length: family.addressBits / 8, to: register)
    }

    private func port(_ side: Rule.Side, to register: NFTRegister) -> NFTExpression {
        .payload(.transport, offset: side == .source ? 0 : 2, length: 2, to: register)
    }

    private func compare(_ side: Rule.Side, _ range: CIDR, isEqual: Bool) -> [NFTExpression] {
        let isHost = range.prefixLength == family.addressBits
        let mask = NFTExpression.bitwise(
            from: .first, to: .first, mask: range.mask, xor: Array(repeating: 0, count: family.addressBits / 8))
        return [address(side, to: .first)] + (isHost ? [] : [mask]) + [.compare(.first, isEqual: isEqual, range.address.bytes)]
    }

    private func compare(protocol number: UInt8, isEqual: Bool = true) -> [NFTExpression] {
        [.meta(.transport, to: .first), .compare(.first, isEqual: isEqual, [number])]
    }

    /// Loads the parts of a set's members into successive registers and looks them up.
    private func lookUp(_ name: String, _ sides: [Rule.Side], hasTransport: Bool) -> [NFTExpression]? {
        guard let kind = kinds[name] else { return nil }
        var sides = sides[...]
        var register = NFTRegister.first
        var expressions: [NFTExpression] = []
        // A packet of another protocol has something else where the port is.
        guard kind != .bitmapPort || hasTransport else { return nil }
        for part in kind.key(family) {
            switch part {
            case .ipv4Address, .ipv6Address: expressions.append(address(sides.popFirst() ?? .destination, to: register))
            case .protocol: expressions.append(.meta(.transport, to: register))
            case .port: expressions.append(port(sides.popFirst() ?? .destination, to: register))
            }
            register = NFTRegister(register.number + part.paddedLength / 4)
        }
        return expressions + [.lookup(set: name, .first, isNegated: false)]
    }

    // MARK: Verdicts

    private func expressions(_ verdict: Rule.Verdict, in chain: Rules.Chain) -> [NFTExpression]? {
        switch verdict {
        // An accept ends only its chain: NAT chains of others, such as those of host ports, would still change the destination. In iptables, it
        // ends the chain of others as well. A connection whose destination is set passes no further NAT chain (`nf_nat_inet_fn`,
        // net/netfilter/nf_nat_core.c); its own destination changes nothing.
        case .accept where chain.table == .nat: [address(.destination, to: .first), .destinationNAT(family, to: .first)]
        case .accept: [.verdict(.accept)]
        case .drop: [.counter(RuleExpressions.counter(chain)), .verdict(.drop)]
        case .return: [.verdict(.returning)]
        case .jump(let target): [.verdict(.jump(RuleExpressions.name(Rules.Chain(chain.table, target))))]
        case .masquerade(let isFullyRandom): [.masquerade(isFullyRandom: isFullyRandom)]
        case .setMark(let mark): changeMark(keeping: ~mark, mark)
        case .invertMark(let mark): changeMark(keeping: .max, mark)
        case .reject(.tcpReset): [.reject(.tcpReset)]
        case .reject(.portUnreachable): [.reject(.icmp(family == .ipv4 ? ICMPCode.portUnreachable : ICMPCode.portUnreachable6))]
        // ICMPv6 has no such code.
        case .reject(.protocolUnreachable): [.reject(.icmp(family == .ipv4 ? ICMPCode.protocolUnreachable : ICMPCode.portUnreachable6))]
        case .other: nil
        }
    }

    private func changeMark(keeping mask: UInt32, _ xor: UInt32) -> [NFTExpression] {
        [
            .meta(.mark, to: .first), .bitwise(from: .first, to: .first, mask: bytes(mask), xor: bytes(xor)), .setMark(from: .first),
        ]
    }

    /// A number in host order.
    private func bytes(_ number: UInt32) -> [UInt8] { unsafe withUnsafeBytes(of: number) { unsafe Array($0) } }
}

// MARK: Reading

extension RuleExpressions {
    /// The rule that the kernel has; `.other` if this program has none with these expressions.
    func rule(_ found: NFTRule, in chain: Rules.Chain) -> Rule {
        var reader = Reader(coding: self)
        // Comparing the results makes sure that nothing is ignored.
        guard let rule = reader.rule(found, chain.table), self.rule(rule, in: chain) == found else {
            return .other(
                found.expressions.map(\.description).joined(separator: " ") + (found.comment.map { " comment \"\($0)\"" } ?? ""))
        }
        return rule
    }

    private struct Reader {
        let coding: RuleExpressions
        /// What each register was loaded with.
        private var loads: [NFTRegister: NFTExpression] = [:]
        private var mask: [UInt8]?
        private var xor: [UInt8]?
        private var matches: [Rule.Match] = []
        /// The destination of the packet, which is the address of a virtual server.
        private var destination: IPAddress?

        init(coding: RuleExpressions) { self.coding = coding }

        mutating func rule(_ found: NFTRule, _ table: Rules.Table) -> Rule? {
            var verdict: Rule.Verdict?
            for expression in found.expressions {
                guard verdict == nil else { return nil }
                switch expression {
                case .payload(_, _, _, let to), .meta(_, let to), .conntrackState(let to), .addressType(_, let to):
                    loads[to] = expression
                    (mask, xor) = (nil, nil)
                case .bitwise(_, _, let mask, let xor): (self.mask, self.xor) = (mask, xor)
                case .compare(let register, let isEqual, let value):
                    guard let load = loads[register], compare(load, isEqual, value) else { return nil }
                case .lookup(let set, _, _): matches.append(.set(name(set), sides(set)))
                case .setMark: verdict = markVerdict()
                case .counter: continue
                case .verdict(let found): verdict = self.verdict(found, table)
                case .masquerade(let isFullyRandom): verdict = .masquerade(isFullyRandom: isFullyRandom)
                case .destinationNAT: verdict = .accept
                case .reject(let reply): verdict = self.verdict(reply)
                case .other: return nil
                }
            }
            return verdict.map { Rule(matches, $0, comment: found.comment) }
        }

        private func name(_ set: String) -> AddressSet.Name { AddressSet.Name(set, in: .table(coding.family)) }

        /// The sides of the addresses and ports in the registers.
        private func sides(_ set: String) -> [Rule.Side] {
            var register = NFTRegister.first
            var sides: [Rule.Side] = []
            for part in coding.kinds[set]?.key(coding.family) ?? [] {
                if case .payload(let base, let offset, _, _)? = loads[register] {
                    let isSource = base == .transport ? offset == 0 : offset < (coding.family == .ipv4 ? 16 : 24)
                    sides.append(isSource ? .source : .destination)
                }
                register = NFTRegister(register.number + part.paddedLength / 4)
            }
            return sides
        }

        /// - Returns: false if no match has this comparison.
        private mutating func compare(_ load: NFTExpression, _ isEqual: Bool, _ value: [UInt8]) -> Bool {
            switch load {
            case .meta(.inputInterface, _):
                let name = String(decoding: value.prefix { $0 != 0 }, as: UTF8.self)
                matches.append(.inputInterface(name, isPrefix: value.count < RuleExpressions.interfaceNameBytes, isNegated: !isEqual))
            case .meta(.transport, _):
                guard let number = value.first else { return false }
                if let transport = Transport(number: number) {
                    matches.append(.transport(transport, isNegated: !isEqual))
                } else if number == coding.icmp.protocol {
                    matches.append(.echoRequest)
                } else {
                    return false
                }
            case .meta(.mark, _):
                guard let mark: UInt32 = number(value) else { return false }
                matches.append(.mark(mark, isNegated: !isEqual))
            case .addressType(let isSource, _): matches.append(.isLocal(isSource ? .source : .destination, isNegated: !isEqual))
            case .conntrackState:
                guard let mask, let bits: UInt32 = number(mask) else { return false }
                matches.append(.connection(Rule.ConnectionState.inOrder.filter { $0.bit & bits != 0 }))
            case .payload(.network, let offset, _, _): return compare(addressAt: offset, isEqual, value)
            case .payload(.transport, let offset, _, _):
                if case .echoRequest? = matches.last { return true }
                guard offset == 2, let destination, value.count == 2, case .transport(let transport, false)? = matches.popLast() else {
                    return false
                }
                let port = UInt16(value[0]) << 8 | UInt16(value[1])
                matches.append(.virtualServer(.init(transport, AddressPort(destination, port))))
            default: return false
            }
            return true
        }

        private mutating func compare(addressAt offset: Int, _ isEqual: Bool, _ value: [UInt8]) -> Bool {
            guard let address = IPAddress(bytes: value) else { return false }
            guard offset == (coding.family == .ipv4 ? 12 : 8) else {
                destination = address
                return true
            }
            let length = mask.map { $0.reduce(0) { $0 + $1.nonzeroBitCount } } ?? coding.family.addressBits
            guard let range = CIDR(address, prefixLength: length) else { return false }
            matches.append(.source(range, isNegated: !isEqual))
            return true
        }

        private func verdict(_ found: NFTExpression.Verdict, _ table: Rules.Table) -> Rule.Verdict? {
            switch found {
            case .accept: return .accept
            case .drop: return .drop
            case .returning: return .return
            case .jump(let target):
                let prefix = "\(table.rawValue)-"
                return target.hasPrefix(prefix) ? .jump(String(target.dropFirst(prefix.count))) : nil
            }
        }

        private func verdict(_ reply: NFTReject) -> Rule.Verdict? {
            switch (reply, coding.family) {
            case (.tcpReset, _): .reject(.tcpReset)
            case (.icmp(ICMPCode.protocolUnreachable), .ipv4): .reject(.protocolUnreachable)
            case (.icmp, _): .reject(.portUnreachable)
            }
        }

        private func markVerdict() -> Rule.Verdict? {
            guard let mask, let xor, let kept: UInt32 = number(mask), let mark: UInt32 = number(xor) else { return nil }
            return kept == .max ? .invertMark(mark) : .setMark(mark)
        }

        private func number(_ bytes: [UInt8]) -> UInt32? { hostOrder(bytes[...]) }
    }
}

/// Codes of "destination unreachable" (RFC 792, RFC 4443).
private enum ICMPCode {
    static let protocolUnreachable: UInt8 = 2
    static let portUnreachable: UInt8 = 3
    static let portUnreachable6: UInt8 = 4
}

extension Rule.ConnectionState {
    /// The bit of the state in nf_tables (`NF_CT_STATE_BIT`, linux/netfilter/nf_conntrack_common.h).
    fileprivate var bit: UInt32 {
        switch self {
        case .established: 1 << 1
        case .related: 1 << 2
        case .new: 1 << 3
        }
    }

    /// The order in which this program lists states.
    fileprivate static let inOrder: [Rule.ConnectionState] = [.new, .related, .established]
}

extension AddressSetType {
    /// The parts of the key of such a set in nf_tables.
    func key(_ family: IPFamily) -> [NFTSet.Part] {
        let address: NFTSet.Part = family == .ipv4 ? .ipv4Address : .ipv6Address
        return switch self {
        case .hashIP: [address]
        case .hashIPPort: [address, .protocol, .port]
        case .hashIPPortIP, .hashIPPortNet: [address, .protocol, .port, address]
        case .bitmapPort: [.port]
        }
    }
}

extension CIDR {
    /// The mask of the block in network order.
    fileprivate var mask: [UInt8] {
        (0..<family.addressBits / 8).map { index in
            let bits = min(max(prefixLength - index * 8, 0), 8)
            return bits == 0 ? 0 : 0xff << UInt8(8 - bits)
        }
    }
}

extension UInt16 {
    var networkBytes: [UInt8] { [UInt8(self >> 8), UInt8(truncatingIfNeeded: self)] }
}
