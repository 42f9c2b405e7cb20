internal import CNetlink
internal import Model
internal import Netlink

extension NFTExpression {
    /// The kernel's name of the expression.
    var kernelName: String {
        switch self {
        case .payload: "payload"
        case .meta, .setMark: "meta"
        case .conntrackState: "ct"
        case .bitwise: "bitwise"
        case .compare: "cmp"
        case .lookup: "lookup"
        case .addressType: "fib"
        case .verdict: "immediate"
        case .counter: "objref"
        case .masquerade: "masq"
        case .destinationNAT: "nat"
        case .reject: "reject"
        case .other(let name): name
        }
    }

    /// Adds the expression to a list of expressions.
    func put(in message: inout NetlinkMessage) {
        message.nest(NFTA_LIST_ELEM) { message in
            message.put(NFTA_EXPR_NAME, kernelName)
            if case .other = self { return }
            message.nest(NFTA_EXPR_DATA, putData)
        }
    }

    private func putData(_ message: inout NetlinkMessage) {
        switch self {
        case .payload(let base, let offset, let length, let register):
            message.put(NFTA_PAYLOAD_DREG, register)
            message.put(NFTA_PAYLOAD_BASE, base.number)
            message.put(NFTA_PAYLOAD_OFFSET, UInt32(offset))
            message.put(NFTA_PAYLOAD_LEN, UInt32(length))
        case .meta(let key, let register):
            message.put(NFTA_META_KEY, key.number)
            message.put(NFTA_META_DREG, register)
        case .setMark(let register):
            message.put(NFTA_META_KEY, NFT_META_MARK.rawValue)
            message.put(NFTA_META_SREG, register)
        case .conntrackState(let register):
            message.put(NFTA_CT_KEY, NFT_CT_STATE.rawValue)
            message.put(NFTA_CT_DREG, register)
        case .bitwise(let source, let destination, let mask, let xor):
            message.put(NFTA_BITWISE_SREG, source)
            message.put(NFTA_BITWISE_DREG, destination)
            message.put(NFTA_BITWISE_LEN, UInt32(mask.count))
            message.put(NFTA_BITWISE_MASK, data: mask)
            message.put(NFTA_BITWISE_XOR, data: xor)
        case .compare(let register, let isEqual, let value):
            message.put(NFTA_CMP_SREG, register)
            message.put(NFTA_CMP_OP, (isEqual ? NFT_CMP_EQ : NFT_CMP_NEQ).rawValue)
            message.put(NFTA_CMP_DATA, data: value)
        case .lookup(let set, let register, let isNegated):
            message.put(NFTA_LOOKUP_SET, set)
            message.put(NFTA_LOOKUP_SREG, register)
            if isNegated { message.put(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV.rawValue) }
        case .addressType(let isSource, let register):
            message.put(NFTA_FIB_DREG, register)
            message.put(NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE.rawValue)
            message.put(NFTA_FIB_FLAGS, (isSource ? NFTA_FIB_F_SADDR : NFTA_FIB_F_DADDR).rawValue)
        case .verdict(let verdict):
            message.put(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT.rawValue)
            message.nest(NFTA_IMMEDIATE_DATA) { message in
                message.nest(NFTA_DATA_VERDICT) { message in
                    message.put(NFTA_VERDICT_CODE, UInt32(bitPattern: verdict.code))
                    if case .jump(let chain) = verdict { message.put(NFTA_VERDICT_CHAIN, chain) }
                }
            }
        case .counter(let name):
            message.put(NFTA_OBJREF_IMM_TYPE, UInt32(NFT_OBJECT_COUNTER))
            message.put(NFTA_OBJREF_IMM_NAME, name)
        case .masquerade(let isFullyRandom):
            if isFullyRandom { message.put(NFTA_MASQ_FLAGS, UInt32(NF_NAT_RANGE_PROTO_RANDOM_FULLY)) }
        case .destinationNAT(let family, let register):
            message.put(NFTA_NAT_TYPE, NFT_NAT_DNAT.rawValue)
            message.put(NFTA_NAT_FAMILY, UInt32(family.number))
            message.put(NFTA_NAT_REG_ADDR_MIN, register)
        case .reject(let rejection):
            switch rejection {
            case .tcpReset: message.put(NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST.rawValue)
            case .icmp(let code):
                message.put(NFTA_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH.rawValue)
                message.put(Int(NFTA_REJECT_ICMP_CODE.rawValue), u8: code)
            }
        case .other: break
        }
    }
}

extension NFTExpression.Base {
    var number: UInt32 {
        switch self {
        case .network: NFT_PAYLOAD_NETWORK_HEADER.rawValue
        case .transport: NFT_PAYLOAD_TRANSPORT_HEADER.rawValue
        }
    }
}

extension NFTExpression.MetaKey {
    var number: UInt32 {
        switch self {
        case .transport: NFT_META_L4PROTO.rawValue
        case .inputInterface: NFT_META_IIFNAME.rawValue
        case .mark: NFT_META_MARK.rawValue
        }
    }
}

extension NFTExpression.Verdict {
    var code: Int32 {
        switch self {
        case .accept: NF_ACCEPT
        case .drop: NF_DROP
        case .returning: NFT_RETURN.rawValue
        case .jump: NFT_JUMP.rawValue
        }
    }
}
