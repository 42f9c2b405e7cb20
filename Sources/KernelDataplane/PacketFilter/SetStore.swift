internal import Glibc
internal import Model
internal import Netlink
internal import Reconciler

/// The sets of the proxy, in ipset and in its tables of nf_tables.
struct SetStore: ~Copyable {
    /// Nil if ipset is not used.
    private let ipsets: IPSetClient?
    /// Nil if nf_tables is not used.
    private let tables: NFTablesSets?

    /// - Parameter packetFilter: nil to read and remove the sets of both, as far as the kernel has them.
    init(_ packetFilter: PacketFilterKind?) throws(DataplaneError) {
        let ipsets = try SetStore.openIPSets(packetFilter)
        let tables = try packetFilter == .iptables ? nil : NFTablesSets()
        self.ipsets = ipsets
        self.tables = tables
    }

    /// The port of the socket that changes sets in nf_tables; nil if nf_tables is not used. ipset announces nothing.
    var port: UInt32? {
        switch tables {
        case .some(let client): client.port
        case .none: nil
        }
    }

    private static func openIPSets(_ packetFilter: PacketFilterKind?) throws(DataplaneError) -> IPSetClient? {
        switch packetFilter {
        case .iptables: try IPSetClient()
        case .nftables: nil
        case nil: try OldIPSets.isLoaded ? IPSetClient(createsSets: false) : nil
        }
    }

    /// The set of this name with its members; nil if there is none.
    ///
    /// - Parameter expected: supplies the name, and the values that the kernel does not return.
    borrowing func set(_ expected: AddressSet) throws(DataplaneError) -> AddressSet? {
        switch expected.name.store {
        case .ipset: try readIPSet(expected)
        case .table(let family): try readSet(expected, family)
        }
    }

    /// Whether there is a set of the expected type with exactly the expected members.
    borrowing func hasExpectedMembers(_ expected: AddressSet) throws(DataplaneError) -> Bool {
        if expected.name.store == .ipset {
            switch ipsets {
            case .some(let client): return try client.hasExpectedMembers(expected)
            case .none: return false
            }
        }
        guard let found = try set(expected), found.hasSameType(as: expected), found.members.count == expected.members.count else {
            return false
        }
        return expected.members.keys.allSatisfy { found.members[$0] != nil }
    }

    private borrowing func readIPSet(_ expected: AddressSet) throws(DataplaneError) -> AddressSet? {
        switch ipsets {
        case .some(let client): try client.set(expected)
        case .none: nil
        }
    }

    private borrowing func readSet(_ expected: AddressSet, _ family: IPFamily) throws(DataplaneError) -> AddressSet? {
        switch tables {
        case .some(let client): try client.set(expected, family)
        case .none: nil
        }
    }

    /// Carries out operations of the layer of sets, and returns the failures.
    borrowing func apply(_ operations: ArraySlice<Operation>) -> [OperationFailure] {
        let (inIPSet, inTables) = (operations.filter { $0.store == .ipset }, operations.filter { $0.store != .ipset })
        return applyIPSets(inIPSet) + applyTables(inTables)
    }

    private borrowing func applyIPSets(_ operations: [Operation]) -> [OperationFailure] {
        guard !operations.isEmpty else { return [] }
        return switch ipsets {
        case .some(let client): client.apply(operations)
        case .none: operations.map { OperationFailure($0, reason: "ipset is not used") }
        }
    }

    private borrowing func applyTables(_ operations: [Operation]) -> [OperationFailure] {
        guard !operations.isEmpty else { return [] }
        return switch tables {
        case .some(let client): client.apply(operations)
        case .none: operations.map { OperationFailure($0, reason: "nf_tables is not used") }
        }
    }
}

extension Operation {
    /// Where the set of an operation on sets is.
    var store: AddressSet.Name.Store? {
        switch self {
        case .createSet(let set), .replaceSet(let set): set.name.store
        case .addMember(let name, _, _), .removeMember(let name, _), .destroySet(let name): name.store
        default: nil
        }
    }
}
