internal import CNetlink
internal import Model
internal import Netlink

/// Requests to nfnetlink's subsystem nf_tables (`linux/netfilter/nf_tables.h`, net/netfilter/nf_tables_api.c), for a table of a family.
enum NFTablesMessages {
    private static func type(_ command: nf_tables_msg_types) -> UInt16 { UInt16(NFNL_SUBSYS_NFTABLES) << 8 | UInt16(command.rawValue) }

    private static func message(_ command: nf_tables_msg_types, _ table: String, _ family: IPFamily) throws(NetlinkError) -> NetlinkMessage
    {
        var message = try NetlinkMessage(type: type(command), flags: UInt16(NLM_F_ACK))
        message.putHeader(nfgenmsg(nfgen_family: UInt8(family.number), version: UInt8(NFNETLINK_V0), res_id: 0))
        message.put(Int(NFTA_TABLE_NAME.rawValue), string: table)
        return message
    }

    /// `nft list table …`, without what is in it; fails with ENOENT where there is none.
    static func getTable(_ table: String, _ family: IPFamily) throws(NetlinkError) -> NetlinkMessage {
        try message(NFT_MSG_GETTABLE, table, family)
    }

    /// `nft delete table …`, with all that is in it; only inside a transaction.
    static func deleteTable(_ table: String, _ family: IPFamily) throws(NetlinkError) -> NetlinkMessage {
        try message(NFT_MSG_DELTABLE, table, family)
    }

    /// What a transaction begins with.
    static func begin() throws(NetlinkError) -> NetlinkMessage { try bracket(UInt16(NFNL_MSG_BATCH_BEGIN)) }

    /// What ends a transaction.
    static func end() throws(NetlinkError) -> NetlinkMessage { try bracket(UInt16(NFNL_MSG_BATCH_END)) }

    /// Names the subsystem whose transaction it is.
    private static func bracket(_ type: UInt16) throws(NetlinkError) -> NetlinkMessage {
        var message = try NetlinkMessage(type: type)
        message.putHeader(nfgenmsg(nfgen_family: 0, version: UInt8(NFNETLINK_V0), res_id: UInt16(NFNL_SUBSYS_NFTABLES).bigEndian))
        return message
    }
}
