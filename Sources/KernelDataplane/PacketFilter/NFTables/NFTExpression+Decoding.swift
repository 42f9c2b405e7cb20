internal import CNetlink
internal import Model
internal import Netlink

extension NFTExpression {
    /// From an item of a list of expressions, as the kernel dumps it.
    init(_ expression: NFTAttributes) {
        let name = expression.string(NFTA_EXPR_NAME) ?? "unknown"
        // The kernel reads an expression without attributes as one with an empty list of them, which it dumps.
        let data = expression.nested(NFTA_EXPR_DATA) ?? NFTAttributes(NetlinkAttributes([]))
        self = NFTExpression(name, data) ?? .other(name)
    }

    /// Nil for what this program does not write.
    private init?(_ name: String, _ data: NFTAttributes) {
        let decoded: NFTExpression? =
            switch name {
            case "payload": NFTExpression.payload(data)
            case "meta": NFTExpression.meta(data)
            case "ct": NFTExpression.conntrack(data)
            case "bitwise": NFTExpression.bitwise(data)
            case "cmp": NFTExpression.compare(data)
            case "lookup": NFTExpression.lookup(data)
            case "fib": NFTExpression.fib(data)
            case "immediate": NFTExpression.immediate(data)
            case "objref": NFTExpression.object(data)
            case "masq": NFTExpression.masquerade(data)
            case "nat": NFTExpression.destinationNAT(data)
            case "reject": NFTExpression.reject(data)
            case "target": data.string(NFTA_TARGET_NAME).map { .other("target \($0)") }
            default: nil
            }
        guard let decoded else { return nil }
        self = decoded
    }

    private static func payload(_ data: NFTAttributes) -> NFTExpression? {
        guard let register = data.register(NFTA_PAYLOAD_DREG), let offset = data.number(NFTA_PAYLOAD_OFFSET),
            let length = data.number(NFTA_PAYLOAD_LEN),
            let base = [Base.network, .transport].first(where: { $0.number == data.number(NFTA_PAYLOAD_BASE) })
        else { return nil }
        return .payload(base, offset: Int(offset), length: Int(length), to: register)
    }

    private static func meta(_ data: NFTAttributes) -> NFTExpression? {
        let key = data.number(NFTA_META_KEY)
        if let register = data.register(NFTA_META_SREG) { return key == NFT_META_MARK.rawValue ? .setMark(from: register) : nil }
        guard let register = data.register(NFTA_META_DREG),
            let known = [MetaKey.transport, .inputInterface, .mark].first(where: { $0.number == key })
        else { return nil }
        return .meta(known, to: register)
    }

    private static func conntrack(_ data: NFTAttributes) -> NFTExpression? {
        guard data.number(NFTA_CT_KEY) == NFT_CT_STATE.rawValue, let register = data.register(NFTA_CT_DREG) else { return nil }
        return .conntrackState(to: register)
    }

    private static func bitwise(_ data: NFTAttributes) -> NFTExpression? {
        // Kernels before Linux 5.6 know no other operation and dump none.
        guard data.number(NFTA_BITWISE_OP) ?? NFT_BITWISE_MASK_XOR.rawValue == NFT_BITWISE_MASK_XOR.rawValue,
            let source = data.register(NFTA_BITWISE_SREG), let destination = data.register(NFTA_BITWISE_DREG),
            let mask = data.data(NFTA_BITWISE_MASK), let xor = data.data(NFTA_BITWISE_XOR)
        else { return nil }
        return .bitwise(from: source, to: destination, mask: mask, xor: xor)
    }

    private static func compare(_ data: NFTAttributes) -> NFTExpression? {
        guard let register = data.register(NFTA_CMP_SREG), let operation = data.number(NFTA_CMP_OP), let value = data.data(NFTA_CMP_DATA),
            operation == NFT_CMP_EQ.rawValue || operation == NFT_CMP_NEQ.rawValue
        else { return nil }
        return .compare(register, isEqual: operation == NFT_CMP_EQ.rawValue, value)
    }

    private static func lookup(_ data: NFTAttributes) -> NFTExpression? {
        // With a destination, it is a map.
        guard let set = data.string(NFTA_LOOKUP_SET), let register = data.register(NFTA_LOOKUP_SREG), data[NFTA_LOOKUP_DREG] == nil else {
            return nil
        }
        return .lookup(set: set, register, isNegated: (data.number(NFTA_LOOKUP_FLAGS) ?? 0) & NFT_LOOKUP_F_INV.rawValue != 0)
    }

    private static func fib(_ data: NFTAttributes) -> NFTExpression? {
        guard data.number(NFTA_FIB_RESULT) == NFT_FIB_RESULT_ADDRTYPE.rawValue, let register = data.register(NFTA_FIB_DREG) else {
            return nil
        }
        switch data.number(NFTA_FIB_FLAGS) {
        case NFTA_FIB_F_SADDR.rawValue: return .addressType(isSource: true, to: register)
        case NFTA_FIB_F_DADDR.rawValue: return .addressType(isSource: false, to: register)
        default: return nil
        }
    }

    private static func immediate(_ data: NFTAttributes) -> NFTExpression? {
        // A value has no verdict.
        guard let verdict = data.nested(NFTA_IMMEDIATE_DATA)?.nested(NFTA_DATA_VERDICT), let code = verdict.number(NFTA_VERDICT_CODE) else {
            return nil
        }
        switch (Int32(bitPattern: code), verdict.string(NFTA_VERDICT_CHAIN)) {
        case (NF_ACCEPT, _): return .verdict(.accept)
        case (NF_DROP, _): return .verdict(.drop)
        case (NFT_RETURN.rawValue, _): return .verdict(.returning)
        case (NFT_JUMP.rawValue, let chain?): return .verdict(.jump(chain))
        case (NFT_GOTO.rawValue, let chain?): return .other("goto \(chain)")
        default: return nil
        }
    }

    private static func object(_ data: NFTAttributes) -> NFTExpression? {
        guard data.number(NFTA_OBJREF_IMM_TYPE) == UInt32(NFT_OBJECT_COUNTER) else { return nil }
        return data.string(NFTA_OBJREF_IMM_NAME).map { .counter($0) }
    }

    private static func masquerade(_ data: NFTAttributes) -> NFTExpression? {
        guard data[NFTA_MASQ_REG_PROTO_MIN] == nil else { return nil }
        switch data.number(NFTA_MASQ_FLAGS) ?? 0 {
        case 0: return .masquerade(isFullyRandom: false)
        case UInt32(NF_NAT_RANGE_PROTO_RANDOM_FULLY): return .masquerade(isFullyRandom: true)
        default: return nil
        }
    }

    private static func destinationNAT(_ data: NFTAttributes) -> NFTExpression? {
        // The kernel sets the flag if there is an address.
        guard data.number(NFTA_NAT_TYPE) == NFT_NAT_DNAT.rawValue, data[NFTA_NAT_REG_PROTO_MIN] == nil,
            [0, UInt32(NF_NAT_RANGE_MAP_IPS)].contains(data.number(NFTA_NAT_FLAGS) ?? 0),
            let family = IPFamily.allCases.first(where: { UInt32($0.number) == data.number(NFTA_NAT_FAMILY) }),
            let register = data.register(NFTA_NAT_REG_ADDR_MIN), data.register(NFTA_NAT_REG_ADDR_MAX) ?? register == register
        else { return nil }
        return .destinationNAT(family, to: register)
    }

    private static func reject(_ data: NFTAttributes) -> NFTExpression? {
        switch data.number(NFTA_REJECT_TYPE) {
        case NFT_REJECT_TCP_RST.rawValue: .reject(.tcpReset)
        case NFT_REJECT_ICMP_UNREACH.rawValue: data[NFTA_REJECT_ICMP_CODE]?.u8.map { .reject(.icmp($0)) }
        default: nil
        }
    }
}
