internal import CNetlink
internal import Model
internal import Netlink

/// Requests to nfnetlink's subsystem nf_tables (`linux/netfilter/nf_tables.h`, net/netfilter/nf_tables_api.c).
enum NFTablesMessages {
    static func type(_ command: nf_tables_msg_types) -> UInt16 { UInt16(NFNL_SUBSYS_NFTABLES) << 8 | UInt16(command.rawValue) }

    /// - Parameter family: `NFPROTO_*`, which are `AF_*` for IPv4 and IPv6.
    static func message(_ command: nf_tables_msg_types, _ family: UInt8, flags: Int32 = 0, capacity: Int = 512) throws(NetlinkError)
        -> NetlinkMessage
    {
        var message = try NetlinkMessage(type: type(command), flags: UInt16(flags), capacity: capacity)
        message.putHeader(nfgenmsg(nfgen_family: family, version: UInt8(NFNETLINK_V0), res_id: 0))
        return message
    }

    /// The first message of a transaction.
    static func begin() throws(NetlinkError) -> NetlinkMessage { try bracket(UInt16(NFNL_MSG_BATCH_BEGIN)) }

    /// The last message of a transaction.
    static func end() throws(NetlinkError) -> NetlinkMessage { try bracket(UInt16(NFNL_MSG_BATCH_END)) }

    /// A message with the subsystem of the transaction.
    private static func bracket(_ type: UInt16) throws(NetlinkError) -> NetlinkMessage {
        var message = try NetlinkMessage(type: type)
        message.putHeader(nfgenmsg(nfgen_family: 0, version: UInt8(NFNETLINK_V0), res_id: UInt16(NFNL_SUBSYS_NFTABLES).bigEndian))
        return message
    }

    /// `nft list table …`, without its contents; fails with ENOENT if it does not exist.
    static func getTable(_ table: String, _ family: IPFamily) throws(NetlinkError) -> NetlinkMessage {
        var message = try message(NFT_MSG_GETTABLE, UInt8(family.number), flags: NLM_F_ACK)
        message.put(NFTA_TABLE_NAME, table)
        return message
    }

    /// A set, without its elements; fails with ENOENT if it or its table does not exist.
    static func getSet(_ set: String, table: String, _ family: IPFamily) throws(NetlinkError) -> NetlinkMessage {
        var message = try message(NFT_MSG_GETSET, UInt8(family.number), flags: NLM_F_ACK)
        message.put(NFTA_SET_TABLE, table)
        message.put(NFTA_SET_NAME, set)
        return message
    }

    /// A dump of the objects of a kind; not every kernel filters it by the table.
    ///
    /// - Parameter attribute: the attribute with the table's name.
    static func dump(
        _ command: nf_tables_msg_types, _ family: UInt8, _ attribute: some RawRepresentable<UInt32>, table: String
    ) throws(NetlinkError) -> NetlinkMessage {
        var message = try message(command, family, flags: NLM_F_DUMP)
        message.put(attribute, table)
        return message
    }

    /// A dump of the base chains and regular chains of all tables and families.
    static func dumpChains() throws(NetlinkError) -> NetlinkMessage {
        try message(NFT_MSG_GETCHAIN, UInt8(NFPROTO_UNSPEC), flags: NLM_F_DUMP)
    }

    /// A dump of the rules of a chain.
    ///
    /// - Parameter family: `NFPROTO_*`.
    static func dumpRules(of chain: String, table: String, _ family: UInt8) throws(NetlinkError) -> NetlinkMessage {
        var message = try dump(NFT_MSG_GETRULE, family, NFTA_RULE_TABLE, table: table)
        message.put(NFTA_RULE_CHAIN, chain)
        return message
    }

    /// A dump of the elements of a set.
    static func dumpElements(of set: String, table: String, _ family: IPFamily) throws(NetlinkError) -> NetlinkMessage {
        var message = try dump(NFT_MSG_GETSETELEM, UInt8(family.number), NFTA_SET_ELEM_LIST_TABLE, table: table)
        message.put(NFTA_SET_ELEM_LIST_SET, set)
        return message
    }
}
