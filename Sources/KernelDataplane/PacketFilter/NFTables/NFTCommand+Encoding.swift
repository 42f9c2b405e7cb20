internal import CNetlink
internal import Model
internal import Netlink

/// The messages of commands, for a table. They succeed only in a transaction.
extension NFTCommand {
    /// - Parameter setNumber: of a new set, unique in the transaction (`NFTA_SET_ID`).
    func message(table: String, _ family: IPFamily, setNumber: UInt32) throws(NetlinkError) -> NetlinkMessage {
        let family = UInt8(family.number)
        switch self {
        case .addTable:
            var message = try NFTablesMessages.message(NFT_MSG_NEWTABLE, family, flags: NLM_F_CREATE)
            message.put(NFTA_TABLE_NAME, table)
            return message
        case .deleteTable:
            var message = try NFTablesMessages.message(NFT_MSG_DELTABLE, family)
            message.put(NFTA_TABLE_NAME, table)
            return message
        case .addChain(let chain):
            var message = try NFTablesMessages.message(NFT_MSG_NEWCHAIN, family, flags: NLM_F_CREATE)
            message.put(NFTA_CHAIN_TABLE, table)
            chain.put(in: &message)
            return message
        case .deleteChain(let name):
            var message = try NFTablesMessages.message(NFT_MSG_DELCHAIN, family)
            message.put(NFTA_CHAIN_TABLE, table)
            message.put(NFTA_CHAIN_NAME, name)
            return message
        case .flushChain(let name):
            // Without a handle: all rules.
            var message = try NFTablesMessages.message(NFT_MSG_DELRULE, family)
            message.put(NFTA_RULE_TABLE, table)
            message.put(NFTA_RULE_CHAIN, name)
            return message
        case .addRule(let rule):
            var message = try NFTablesMessages.message(NFT_MSG_NEWRULE, family, flags: NLM_F_CREATE | NLM_F_APPEND, capacity: 16 * 1024)
            message.put(NFTA_RULE_TABLE, table)
            rule.put(in: &message)
            return message
        case .addSet(let set):
            var message = try NFTablesMessages.message(NFT_MSG_NEWSET, family, flags: NLM_F_CREATE)
            message.put(NFTA_SET_TABLE, table)
            set.put(in: &message, number: setNumber)
            return message
        case .deleteSet(let name):
            var message = try NFTablesMessages.message(NFT_MSG_DELSET, family)
            message.put(NFTA_SET_TABLE, table)
            message.put(NFTA_SET_NAME, name)
            return message
        case .addElements(let set, let elements):
            return try NFTCommand.message(NFT_MSG_NEWSETELEM, elements, set: set, table: table, family, flags: NLM_F_CREATE)
        case .deleteElements(let set, let elements):
            return try NFTCommand.message(NFT_MSG_DELSETELEM, elements, set: set, table: table, family)
        case .addCounter(let name):
            var message = try NFTablesMessages.message(NFT_MSG_NEWOBJ, family, flags: NLM_F_CREATE)
            message.put(NFTA_OBJ_TABLE, table)
            message.put(NFTA_OBJ_NAME, name)
            message.put(NFTA_OBJ_TYPE, UInt32(NFT_OBJECT_COUNTER))
            // Required, but libnl omits an empty nest.
            message.put(Int(NFTA_OBJ_DATA.rawValue) | Int(NLA_F_NESTED), bytes: [])
            return message
        }
    }

    /// - Parameter elements: not empty, which the kernel would take as all elements of the set.
    private static func message(
        _ command: nf_tables_msg_types, _ elements: [NFTElement], set: String, table: String, _ family: UInt8, flags: Int32 = 0
    ) throws(NetlinkError) -> NetlinkMessage {
        // The headers, the names with their headers, and the list's header.
        let capacity = elements.reduce(64 + table.utf8.count + set.utf8.count) { $0 + $1.byteCount }
        var message = try NFTablesMessages.message(command, family, flags: flags, capacity: capacity)
        message.put(NFTA_SET_ELEM_LIST_TABLE, table)
        message.put(NFTA_SET_ELEM_LIST_SET, set)
        message.nest(NFTA_SET_ELEM_LIST_ELEMENTS) { message in
            for element in elements { element.put(in: &message) }
        }
        return message
    }
}

extension NFTChain {
    fileprivate func put(in message: inout NetlinkMessage) {
        message.put(NFTA_CHAIN_NAME, name)
        guard let hook else { return }
        message.nest(NFTA_CHAIN_HOOK) { message in
            message.put(NFTA_HOOK_HOOKNUM, hook.point.number)
            message.put(NFTA_HOOK_PRIORITY, UInt32(bitPattern: hook.priority))
        }
        message.put(NFTA_CHAIN_POLICY, UInt32(policyIsDrop ? NF_DROP : NF_ACCEPT))
        message.put(NFTA_CHAIN_TYPE, hook.type.rawValue)
    }
}

extension NFTChain.Hook.Point {
    var number: UInt32 {
        switch self {
        case .prerouting: NF_INET_PRE_ROUTING.rawValue
        case .input: NF_INET_LOCAL_IN.rawValue
        case .forward: NF_INET_FORWARD.rawValue
        case .output: NF_INET_LOCAL_OUT.rawValue
        case .postrouting: NF_INET_POST_ROUTING.rawValue
        }
    }
}

extension NFTRule {
    fileprivate func put(in message: inout NetlinkMessage) {
        message.put(NFTA_RULE_CHAIN, chain)
        message.nest(NFTA_RULE_EXPRESSIONS) { message in
            for expression in expressions { expression.put(in: &message) }
        }
        guard let comment else { return }
        let text = NFTRule.cut(comment) + [0]
        // libnftnl's record of user data: type (NFTNL_UDATA_RULE_COMMENT), length, value.
        message.put(Int(NFTA_RULE_USERDATA.rawValue), bytes: [0, UInt8(text.count)] + text)
    }

    /// The bytes of a comment, without an incomplete character at the end.
    private static func cut(_ comment: String) -> [UInt8] {
        var cut: [UInt8] = []
        for character in comment {
            guard cut.count + character.utf8.count <= maximumCommentBytes else { break }
            cut += character.utf8
        }
        return cut
    }
}

extension NFTSet {
    fileprivate func put(in message: inout NetlinkMessage, number: UInt32) {
        message.put(NFTA_SET_NAME, name)
        message.put(NFTA_SET_FLAGS, hasIntervals ? NFT_SET_INTERVAL.rawValue | NFT_SET_CONCAT.rawValue : 0)
        message.put(NFTA_SET_KEY_TYPE, key.typeNumber)
        message.put(NFTA_SET_KEY_LEN, UInt32(key.keyLength))
        message.put(NFTA_SET_ID, number)
        guard hasIntervals else { return }
        // Of each part, the length without padding.
        message.nest(NFTA_SET_DESC) { message in
            message.nest(NFTA_SET_DESC_CONCAT) { message in
                for part in key {
                    message.nest(NFTA_LIST_ELEM) { $0.put(NFTA_SET_FIELD_LEN, UInt32(part.length)) }
                }
            }
        }
    }
}

extension NFTElement {
    /// The length in a message in bytes: headers of the item, the key and its value, and the same for the end of an interval.
    var byteCount: Int { 4 + 8 + (key.count + 3) & ~3 + (keyEnd.map { 8 + ($0.count + 3) & ~3 } ?? 0) }

    fileprivate func put(in message: inout NetlinkMessage) {
        message.nest(NFTA_LIST_ELEM) { message in
            message.put(NFTA_SET_ELEM_KEY, data: key)
            if let keyEnd { message.put(NFTA_SET_ELEM_KEY_END, data: keyEnd) }
        }
    }
}
