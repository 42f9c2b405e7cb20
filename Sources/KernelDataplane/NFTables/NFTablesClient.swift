internal import Glibc
internal import Model
internal import Netlink
internal import SystemPackage

/// The kernel's nf_tables, by nfnetlink.
struct NFTablesClient: ~Copyable {
    private let socket: NetlinkSocket

    init() throws(DataplaneError) {
        do {
            socket = try NetlinkSocket.open(.netfilter)
        } catch {
            throw DataplaneError("nf_tables", error)
        }
    }

    /// Whether there is a table of this name. A kernel without nf_tables has none.
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

    /// Takes a table away with all that is in it; one that is gone already is a success.
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

    /// Of a subsystem that it does not have the kernel says EINVAL, in a transaction EOPNOTSUPP (net/netfilter/nfnetlink.c); of a family that nf_tables does not do,
    /// EAFNOSUPPORT or EOPNOTSUPP.
    private static func meansNone(_ error: NetlinkError) -> Bool {
        [ENOENT, EINVAL, EOPNOTSUPP, EAFNOSUPPORT].contains { error.code == .kernel(Errno(rawValue: $0)) }
    }
}
