internal import CNetlink
internal import Model
internal import Netlink
internal import Reconciler

/// Decodes the notifications of nf_tables (`NFNLGRP_NFTABLES`): changes of the proxy's rules and sets, in its own tables or in those of
/// iptables-nft. iptables-legacy and ipset announce nothing.
///
/// What others do in tables and chains of their own is ignored, at the cost of reading the names.
struct TableAnnouncements: Sendable {
    /// The multicast group to join.
    static let group = UInt32(NFNLGRP_NFTABLES.rawValue)

    /// A table that contains chains of the proxy.
    fileprivate struct Table {
        var family: IPFamily
        /// With the NUL at the end, as in a message.
        var name: [UInt8]
        /// The chains of which every new rule counts; nil for all chains.
        var chains: Set<String>?
        /// The chains of others with jumps of the proxy: only a deletion counts.
        var built: Set<String> = []
        var sets: [String: AddressSet.Name] = [:]
    }

    private let tables: [Table]

    /// - Parameter catalogue: a state with all chains, jumps and sets of the proxy; their contents do not matter.
    init(_ catalogue: NodeState) {
        tables = catalogue.rules.values.flatMap { rules -> [Table] in
            guard rules.packetFilter == .iptables else {
                let sets = catalogue.sets.keys.filter { $0.store == .table(rules.family) }
                return [
                    Table(
                        family: rules.family, name: Array(BackendRules.tableName.utf8) + [0], chains: nil,
                        sets: Dictionary(uniqueKeysWithValues: sets.map { ($0.text, $0) }))
                ]
            }
            return Rules.Table.allCases.compactMap { table -> Table? in
                let chains = Set(rules.chains.keys.filter { $0.table == table }.map(\.name))
                let built = Set(rules.jumps.filter { $0.table == table }.map(\.from))
                guard !chains.isEmpty || !built.isEmpty else { return nil }
                return Table(family: rules.family, name: Array(table.rawValue.utf8) + [0], chains: chains, built: built)
            }
        }
    }

    /// Everything that is announced.
    var everything: [KernelChange] { tables.flatMap { $0.everything } }

    /// Adds the changes that a message announces to others.
    func addChanges(_ message: NetlinkReply, to changes: inout Set<KernelChange>) {
        guard message.header.type >> 8 == UInt16(NFNL_SUBSYS_NFTABLES), let family = message.payload.first else { return }
        var attributes = NetlinkAttributes(message.payload.dropFirst(MemoryLayout<nfgenmsg>.size))
        // The first attribute of each message is the name of the table (net/netfilter/nf_tables_api.c `nf_tables_fill_*`).
        guard let name = attributes.next(), name.type == 1,
            let table = tables.first(where: { $0.family.number == UInt16(family) && name.payload.elementsEqual($0.name) })
        else { return }
        let command = UInt32(message.header.type & 0xff)
        switch command {
        case NFT_MSG_DELTABLE.rawValue: changes.formUnion(table.everything)
        case NFT_MSG_NEWSETELEM.rawValue: table.addSet(attributes, UInt16(NFTA_SET_ELEM_LIST_SET.rawValue), &changes)
        case NFT_MSG_DELSETELEM.rawValue: table.addSet(attributes, UInt16(NFTA_SET_ELEM_LIST_SET.rawValue), &changes)
        case NFT_MSG_NEWSET.rawValue, NFT_MSG_DELSET.rawValue: table.addSet(attributes, UInt16(NFTA_SET_NAME.rawValue), &changes)
        case NFT_MSG_NEWCHAIN.rawValue where table.chains == nil: changes.insert(.rules(table.family))
        case NFT_MSG_DELOBJ.rawValue where table.chains == nil: changes.insert(.rules(table.family))
        case NFT_MSG_DELCHAIN.rawValue: table.addRules(attributes, UInt16(NFTA_CHAIN_NAME.rawValue), isDeletion: true, &changes)
        case NFT_MSG_NEWRULE.rawValue: table.addRules(attributes, UInt16(NFTA_RULE_CHAIN.rawValue), isDeletion: false, &changes)
        case NFT_MSG_DELRULE.rawValue: table.addRules(attributes, UInt16(NFTA_RULE_CHAIN.rawValue), isDeletion: true, &changes)
        default: break
        }
    }
}

extension TableAnnouncements.Table {
    fileprivate var everything: [KernelChange] { [.rules(family)] + sets.values.map { KernelChange.set($0) } }

    /// Adds the set that an attribute names.
    fileprivate func addSet(_ attributes: NetlinkAttributes, _ type: UInt16, _ changes: inout Set<KernelChange>) {
        guard !sets.isEmpty, let name = attributes.first(where: { $0.type == type })?.string, let set = sets[name] else { return }
        changes.insert(.set(set))
    }

    /// Adds the rules, if an attribute names a chain that counts.
    fileprivate func addRules(_ attributes: NetlinkAttributes, _ type: UInt16, isDeletion: Bool, _ changes: inout Set<KernelChange>) {
        let change = KernelChange.rules(family)
        guard !changes.contains(change) else { return }
        guard let chains else {
            changes.insert(change)
            return
        }
        guard let chain = attributes.first(where: { $0.type == type })?.string else { return }
        if chains.contains(chain) || isDeletion && built.contains(chain) { changes.insert(change) }
    }
}
