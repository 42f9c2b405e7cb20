internal import CNetlink
internal import Glibc
internal import Model
internal import Netlink
internal import SystemPackage

/// The kernel's nf_tables, through nfnetlink.
struct NFTablesClient: ~Copyable {
    private let socket: NetlinkSocket

    /// The requested size of the send buffer, which must hold a complete transaction: some hundred thousand elements. It takes no memory.
    private static let sendBytes: Int32 = 64 << 20

    init() throws(DataplaneError) {
        do {
            self.init(try NetlinkSocket.open(.netfilter, sendBytes: NFTablesClient.sendBytes))
        } catch {
            throw DataplaneError("nf_tables", error)
        }
    }

    init(_ socket: consuming NetlinkSocket) { self.socket = socket }

    /// The port of its socket.
    var port: UInt32 { socket.port }

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
        do throws(NFTTransactionError) {
            try transact([.deleteTable], table: table, family)
        } catch {
            let reasons = error.failures.map(\.error) + [error.error].compactMap(\.self)
            if reasons.allSatisfy(NFTablesClient.meansNone) { return }
            throw DataplaneError(
                "nf_tables DELTABLE \(table) \(family.rawValue)", error.description, isTemporary: error.isTemporary)
        }
    }

    /// For a missing subsystem, the kernel returns EINVAL, or EOPNOTSUPP in a transaction (net/netfilter/nfnetlink.c); for a family that
    /// nf_tables does not support, EAFNOSUPPORT or EOPNOTSUPP.
    private static func meansNone(_ error: NetlinkError) -> Bool {
        [ENOENT, EINVAL, EOPNOTSUPP, EAFNOSUPPORT].contains { error.code == .kernel(Errno(rawValue: $0)) }
    }
}

/// Changes.
extension NFTablesClient {
    /// The maximum length of a transaction in bytes; the sum of `NFTCommand.byteCount` must not exceed it.
    ///
    /// Some 64 MB, or as the sysctl net.core.wmem_max allows if CAP_NET_ADMIN is limited to a user namespace.
    var maximumTransactionBytes: Int { socket.maximumTransactionBytes }

    /// Carries out all commands, or none. Does nothing if there are none.
    ///
    /// If several elements in a message may be at fault, sends the transaction again with a message for each of them.
    borrowing func transact(_ commands: [NFTCommand], table: String, _ family: IPFamily) throws(NFTTransactionError) {
        let transaction = try convertingErrors { () throws(NetlinkError) in try NFTTransaction(commands, table: table, family) }
        guard let rejection = try send(transaction) else { return }
        guard transaction.isAmbiguous(rejection) else {
            throw NFTTransactionError(transaction.failures(rejection), namesAllFailures: rejection.isComplete)
        }
        let maximumBytes = maximumTransactionBytes
        let divided = try convertingErrors { () throws(NetlinkError) in
            try transaction.divided(rejection.failures.keys, maximumBytes: maximumBytes)
        }
        guard let divided else { throw NFTTransactionError(transaction.failures(rejection), namesAllFailures: false) }
        // Succeeds if the kernel has changed in the meantime.
        guard let second = try send(divided) else { return }
        throw NFTTransactionError(
            divided.failures(second), namesAllFailures: second.isComplete && !divided.isAmbiguous(second))
    }

    private borrowing func send(_ transaction: NFTTransaction) throws(NFTTransactionError) -> NetlinkRejection? {
        do throws(NetlinkError) {
            return try socket.transact(transaction.batch, begin: try NFTablesMessages.begin(), end: try NFTablesMessages.end())
        } catch {
            throw NFTTransactionError(error)
        }
    }

    private func convertingErrors<Value>(_ body: () throws(NetlinkError) -> Value) throws(NFTTransactionError) -> Value {
        do throws(NetlinkError) { return try body() } catch { throw NFTTransactionError(error) }
    }
}

/// Objects; empty if there is no such table or set, or no nf_tables.
extension NFTablesClient {
    borrowing func chains(table: String, _ family: IPFamily) throws(DataplaneError) -> [NFTChain] {
        try dump("GETCHAIN \(table) \(family.rawValue)", NFTChain.self, { NFTChain($0, table: table) }) { () throws(NetlinkError) in
            try NFTablesMessages.dump(NFT_MSG_GETCHAIN, UInt8(family.number), NFTA_CHAIN_TABLE, table: table)
        }
    }

    /// In order within each chain.
    borrowing func rules(table: String, _ family: IPFamily) throws(DataplaneError) -> [NFTRule] {
        try dump("GETRULE \(table) \(family.rawValue)", NFTRule.self, { NFTRule($0, table: table) }) { () throws(NetlinkError) in
            try NFTablesMessages.dump(NFT_MSG_GETRULE, UInt8(family.number), NFTA_RULE_TABLE, table: table)
        }
    }

    /// The rules of a chain of others, in order; at most the first thousands.
    ///
    /// - Parameter family: as nft names it, such as `inet`; see `NFTBaseChain`.
    borrowing func rules(family: String, table: String, chain: String) throws(DataplaneError) -> [NFTRule] {
        guard let number = NFTBaseChain.families.first(where: { $0.value == family })?.key else { return [] }
        return try dump(
            "GETRULE \(family) \(table) \(chain)", NFTRule.self, { NFTRule($0, table: table).flatMap { $0.chain == chain ? $0 : nil } },
            keepingAtMost: NFTablesClient.rulesOfForeignChain
        ) { () throws(NetlinkError) in
            try NFTablesMessages.dumpRules(of: chain, table: table, number)
        }
    }

    private static let rulesOfForeignChain = 4096

    /// Nil if there is no such set.
    borrowing func set(_ name: String, table: String, _ family: IPFamily) throws(DataplaneError) -> NFTSet? {
        try dump("GETSET \(table) \(family.rawValue) \(name)", NFTSet.self, { NFTSet($0, table: table) }) { () throws(NetlinkError) in
            try NFTablesMessages.getSet(name, table: table, family)
        }.first
    }

    /// The maximum number of dumps of a set.
    private static let dumpsOfSet = 10

    /// Without duplicates, in no particular order.
    ///
    /// While the kernel resizes a hash table, which it does for some time after elements were added or deleted, a dump of several messages lacks
    /// elements and repeats others, and is not marked as interrupted (`nft_rhash_walk`, net/netfilter/nft_set_hash.c). Therefore, such a dump
    /// counts only if a second one has the same elements.
    borrowing func elements(of set: String, table: String, _ family: IPFamily) throws(DataplaneError) -> [NFTElement] {
        var previous: Set<NFTElement>?
        for _ in 0..<NFTablesClient.dumpsOfSet {
            let parts = try dump("GETSETELEM \(table) \(family.rawValue) \(set)", [NFTElement].self, NFTElement.all) {
                () throws(NetlinkError) in
                try NFTablesMessages.dumpElements(of: set, table: table, family)
            }
            let elements = Set(parts.joined())
            if parts.count <= 1 || elements == previous { return Array(elements) }
            previous = elements
        }
        throw DataplaneError("nf_tables GETSETELEM \(table) \(family.rawValue) \(set)", NetlinkError(.interrupted))
    }

    /// The packets that each named counter has counted.
    borrowing func counters(table: String, _ family: IPFamily) throws(DataplaneError) -> [String: UInt64] {
        let counters = try dump("GETOBJ \(table) \(family.rawValue)", NFTCounter.self, { NFTCounter($0, table: table) }) {
            () throws(NetlinkError) in
            try NFTablesMessages.dump(NFT_MSG_GETOBJ, UInt8(family.number), NFTA_OBJ_TABLE, table: table)
        }
        return Dictionary(counters.map { ($0.name, $0.packets) }) { $1 }
    }

    /// The base chains of all tables of the families ip, ip6 and inet at the hooks of `NFTChain.Hook.Point`.
    borrowing func baseChains() throws(DataplaneError) -> [NFTBaseChain] {
        try dump("GETCHAIN", NFTBaseChain.self, NFTBaseChain.init) { () throws(NetlinkError) in try NFTablesMessages.dumpChains() }
    }

    private borrowing func dump<Value>(
        _ name: String, _ type: Value.Type, _ decode: (NetlinkReply) -> Value?, keepingAtMost limit: Int = .max,
        _ message: () throws(NetlinkError) -> NetlinkMessage
    ) throws(DataplaneError) -> [Value] {
        do throws(NetlinkError) {
            return try socket.request(try message(), keepingAtMost: limit, decode)
        } catch  where NFTablesClient.meansNone(error) {
            return []
        } catch {
            throw DataplaneError("nf_tables \(name)", error)
        }
    }
}
