internal import CNetlink
internal import Netlink

/// Objects as the kernel dumps them; nil for messages of another kind, or of another table.
extension NFTChain {
    /// Nil also for a base chain at another hook, such as ingress.
    init?(_ reply: NetlinkReply, table: String) {
        let attributes = NFTAttributes(reply)
        guard reply.header.type == NFTablesMessages.type(NFT_MSG_NEWCHAIN), attributes.string(NFTA_CHAIN_TABLE) == table,
            let name = attributes.string(NFTA_CHAIN_NAME)
        else { return nil }
        self.name = name
        guard let hook = attributes.nested(NFTA_CHAIN_HOOK) else { return }
        guard let point = Hook.Point.allCases.first(where: { $0.number == hook.number(NFTA_HOOK_HOOKNUM) }),
            let type = attributes.string(NFTA_CHAIN_TYPE).flatMap(Hook.ChainType.init), let priority = hook.number(NFTA_HOOK_PRIORITY)
        else { return nil }
        self.hook = Hook(point: point, type: type, priority: Int32(bitPattern: priority))
        policyIsDrop = attributes.number(NFTA_CHAIN_POLICY) == UInt32(NF_DROP)
    }
}

extension NFTBaseChain {
    /// The families of IP packets by their numbers (`NFPROTO_*`), as nft names them.
    static let families = [UInt8(NFPROTO_IPV4): "ip", UInt8(NFPROTO_IPV6): "ip6", UInt8(NFPROTO_INET): "inet"]

    init?(_ reply: NetlinkReply) {
        guard let family = reply.payload.first.flatMap({ NFTBaseChain.families[$0] }),
            let table = NFTAttributes(reply).string(NFTA_CHAIN_TABLE), let chain = NFTChain(reply, table: table), chain.hook != nil
        else { return nil }
        self.init(family: family, table: table, chain: chain)
    }
}

extension NFTRule {
    init?(_ reply: NetlinkReply, table: String) {
        let attributes = NFTAttributes(reply)
        guard reply.header.type == NFTablesMessages.type(NFT_MSG_NEWRULE), attributes.string(NFTA_RULE_TABLE) == table,
            let chain = attributes.string(NFTA_RULE_CHAIN)
        else { return nil }
        self.init(
            chain: chain, expressions: attributes.list(NFTA_RULE_EXPRESSIONS).map(NFTExpression.init),
            comment: attributes[NFTA_RULE_USERDATA].flatMap { NFTRule.comment($0.payload) })
    }

    /// The comment of libnftnl's records: type, length, value.
    private static func comment(_ records: ArraySlice<UInt8>) -> String? {
        var rest = records
        while let type = rest.first, let length = rest.dropFirst().first {
            let value = rest.dropFirst(2).prefix(Int(length))
            // NFTNL_UDATA_RULE_COMMENT
            if type == 0 { return String(validating: value.prefix { $0 != 0 }, as: UTF8.self) }
            rest = rest.dropFirst(2 + Int(length))
        }
        return nil
    }
}

extension NFTSet {
    init?(_ reply: NetlinkReply, table: String) {
        let attributes = NFTAttributes(reply)
        guard reply.header.type == NFTablesMessages.type(NFT_MSG_NEWSET), attributes.string(NFTA_SET_TABLE) == table,
            let name = attributes.string(NFTA_SET_NAME)
        else { return nil }
        let flags = attributes.number(NFTA_SET_FLAGS) ?? 0
        let isPlain = [0, NFT_SET_INTERVAL.rawValue | NFT_SET_CONCAT.rawValue].contains(flags)
        let key = attributes.number(NFTA_SET_KEY_TYPE).flatMap([Part].init(typeNumber:)) ?? []
        let hasLength = attributes.number(NFTA_SET_KEY_LEN) == UInt32(key.keyLength)
        // A maximum size of others: members may not fit.
        let hasSize = attributes.nested(NFTA_SET_DESC)?.number(NFTA_SET_DESC_SIZE) ?? 0 != 0
        self.init(name: name, key: isPlain && hasLength && !hasSize ? key : [], hasIntervals: flags & NFT_SET_INTERVAL.rawValue != 0)
    }
}

extension NFTElement {
    /// The elements in a message of a dump.
    static func all(in reply: NetlinkReply) -> [NFTElement] {
        guard reply.header.type == NFTablesMessages.type(NFT_MSG_NEWSETELEM) else { return [] }
        return NFTAttributes(reply).list(NFTA_SET_ELEM_LIST_ELEMENTS).compactMap { element in
            element.data(NFTA_SET_ELEM_KEY).map { NFTElement(key: $0, keyEnd: element.data(NFTA_SET_ELEM_KEY_END)) }
        }
    }
}

/// A named counter.
struct NFTCounter {
    var name: String
    var packets: UInt64

    init?(_ reply: NetlinkReply, table: String) {
        let attributes = NFTAttributes(reply)
        guard reply.header.type == NFTablesMessages.type(NFT_MSG_NEWOBJ), attributes.string(NFTA_OBJ_TABLE) == table,
            attributes.number(NFTA_OBJ_TYPE) == UInt32(NFT_OBJECT_COUNTER), let name = attributes.string(NFTA_OBJ_NAME),
            let packets = attributes.nested(NFTA_OBJ_DATA)?[NFTA_COUNTER_PACKETS].flatMap({ networkOrder($0.payload, as: UInt64.self) })
        else { return nil }
        self.name = name
        self.packets = packets
    }
}
