internal import CNetlink
internal import Glibc
internal import Model
internal import Netlink
internal import SystemPackage

/// The kernel's nf_tables, through nfnetlink.
struct NFTablesClient: ~Copyable {
    private let socket: NetlinkSocket

    init() throws(DataplaneError) {
        do {
            socket = try NetlinkSocket.open(.netfilter)
        } catch {
            throw DataplaneError("nf_tables", error)
        }
    }

    /// Whether the table exists; false if the kernel has no nf_tables.
    borrowing func hasTable(_ table: String, _ family: IPFamily) throws(DataplaneError) -> Bool {
        do throws(NetlinkError) {
            _ = try socket.request(try NFTablesMessages.getTable(table, family))
            return true
        } catch  where NFTablesClient.meansNone(error) {
            return false
        } catch {
            throw DataplaneError("nf_tables GETTABLE \(table) \(family.rawValue)", error)
        }
    }

    /// Deletes a table with its contents; succeeds if it does not exist.
    borrowing func deleteTable(_ table: String, _ family: IPFamily) throws(DataplaneError) {
        do throws(NetlinkError) {
            try socket.transact(
                try NFTablesMessages.deleteTable(table, family), begin: try NFTablesMessages.begin(), end: try NFTablesMessages.end())
        } catch  where NFTablesClient.meansNone(error) {
            return
        } catch {
            throw DataplaneError("nf_tables DELTABLE \(table) \(family.rawValue)", error)
        }
    }

    /// For a missing subsystem, the kernel returns EINVAL, or EOPNOTSUPP in a transaction (net/netfilter/nfnetlink.c); for a family that
    /// nf_tables does not support, EAFNOSUPPORT or EOPNOTSUPP.
    private static func meansNone(_ error: NetlinkError) -> Bool {
        [ENOENT, EINVAL, EOPNOTSUPP, EAFNOSUPPORT].contains { error.code == .kernel(Errno(rawValue: $0)) }
    }
}

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

    /// `nft list table …`, without its contents; fails with ENOENT if it does not exist.
    static func getTable(_ table: String, _ family: IPFamily) throws(NetlinkError) -> NetlinkMessage {
        try message(NFT_MSG_GETTABLE, table, family)
    }

    /// `nft delete table …`, with its contents; only in a transaction.
    static func deleteTable(_ table: String, _ family: IPFamily) throws(NetlinkError) -> NetlinkMessage {
        try message(NFT_MSG_DELTABLE, table, family)
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
}
