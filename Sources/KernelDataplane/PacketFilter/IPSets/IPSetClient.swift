internal import CNetlink
internal import Model
internal import Netlink
internal import Reconciler
internal import SystemPackage

/// The kernel's ipsets, through nfnetlink.
struct IPSetClient: ~Copyable {
    let socket: NetlinkSocket
    /// The newest revision of each set type that the kernel supports.
    private let revisions: [AddressSetType: UInt8]

    /// Opens a socket and requests the set types, which loads their modules.
    ///
    /// - Parameter createsSets: false if sets are only read and removed, which needs no types.
    init(createsSets: Bool = true) throws(DataplaneError) {
        let socket: NetlinkSocket
        do {
            socket = try NetlinkSocket.open(.netfilter)
        } catch {
            throw DataplaneError("ipset", error)
        }
        var revisions: [AddressSetType: UInt8] = [:]
        for kind in AddressSetType.allCases where createsSets { revisions[kind] = try IPSetClient.revision(of: kind, socket) }
        self.revisions = revisions
        self.socket = socket
    }

    private static func revision(of kind: AddressSetType, _ socket: borrowing NetlinkSocket) throws(DataplaneError) -> UInt8 {
        do throws(NetlinkError) {
            let replies = try socket.request(try IPSetMessages.getType(kind, .ipv4))
            let revision = replies.lazy.flatMap { NetlinkAttributes($0.payload.dropFirst(4)) }.first {
                $0.type == UInt16(IPSET_ATTR_REVISION)
            }?.u8
            guard let revision else { throw NetlinkError(.malformed, detail: "set type \(kind.rawValue)") }
            return revision
        } catch  where error.code == .kernel(.invalidArgument) {
            // The subsystem is missing (`nfnetlink_rcv_msg`, net/netfilter/nfnetlink.c).
            throw DataplaneError("ipset", "this kernel has no ipset: \(ModuleLoading.advice(kind.modules))")
        } catch {
            throw DataplaneError("ipset", IPSetFailure(error, kind: kind))
        }
    }

    /// Carries out operations on sets, and returns the failures.
    borrowing func apply(_ operations: [Operation]) -> [OperationFailure] {
        if case .replaceSet(let set)? = operations.first {
            do {
                try replace(set)
                return []
            } catch {
                return [OperationFailure(.replaceSet(set), reason: error.reason)]
            }
        }
        return socket.apply(operations) { operation throws(NetlinkError) in
            switch operation {
            case .createSet(let set): try create(set)
            case .addMember(let name, let member, _): try IPSetMessages.add(member, to: name)
            case .removeMember(let name, let member): try IPSetMessages.delete(member, from: name)
            case .destroySet(let name): try IPSetMessages.destroy(name)
            default: nil
            }
        }
    }

    func create(_ set: AddressSet, named name: AddressSet.Name? = nil) throws(NetlinkError) -> NetlinkMessage {
        try IPSetMessages.create(set, named: name, revision: revisions[set.kind] ?? 0)
    }

    /// The set of this name with its members; nil if there is none.
    ///
    /// - Parameter expected: supplies the name, and the values that the kernel does not return.
    borrowing func set(_ expected: AddressSet) throws(DataplaneError) -> AddressSet? {
        let none: [AddressSet.Member: ServiceOrigin?] = [:]
        let read = try read(expected, into: none) { members, member in _ = members.updateValue(nil, forKey: member) }
        guard let read else { return nil }
        var found = read.header
        found.members = read.members
        return found
    }

    /// Whether there is a set of the expected type with exactly the expected members.
    borrowing func hasExpectedMembers(_ expected: AddressSet) throws(DataplaneError) -> Bool {
        let read = try read(expected, into: (matches: 0, others: 0)) { count, member in
            if expected.members[member] == nil { count.others += 1 } else { count.matches += 1 }
        }
        guard let (header, count) = read else { return false }
        return header.hasSameType(as: expected) && count.matches == expected.members.count && count.others == 0
    }

    /// Reads the set of this name: returns it without members, and `initial` after it was updated with each member; nil if there is none.
    private borrowing func read<Members>(
        _ expected: AddressSet, into initial: Members, _ update: (inout Members, AddressSet.Member) -> Void
    ) throws(DataplaneError) -> (header: AddressSet, members: Members)? {
        var header = expected
        header.members = [:]
        let none: (header: AddressSet, kind: AddressSetType?, members: Members) = (header, nil, initial)
        do throws(NetlinkError) {
            let found = try socket.request(try IPSetMessages.list(expected.name), into: none) { found, reply in
                let listing = IPSetListing(reply, kind: found.kind)
                if let typeName = listing.typeName {
                    found.kind = AddressSetType(rawValue: typeName)
                    // An unknown type is returned as any type that differs from the expected one; its members do not matter.
                    found.header.kind = found.kind ?? (expected.kind == .hashIP ? .bitmapPort : .hashIP)
                    found.header.family = listing.family ?? expected.family
                    found.header.capacity = listing.capacity ?? expected.capacity
                }
                for member in listing.members { update(&found.members, member) }
            }
            return (found.header, found.members)
        } catch  where error.code == .kernel(.noSuchFileOrDirectory) {
            return nil
        } catch {
            throw DataplaneError("ipset list \(expected.name)", IPSetFailure(error))
        }
    }

    /// Creates and fills a temporary set, and swaps it with the set of this name.
    borrowing func replace(_ set: AddressSet) throws(DataplaneError) {
        let temporary = AddressSet.Name("kube-ipvs-proxy-swap")
        do throws(NetlinkError) {
            var clearing = NetlinkBatch()
            try clearing.add(try IPSetMessages.destroy(temporary))
            // Left over from an interrupted replacement; usually there is none.
            _ = socket.execute(clearing)

            var filling = NetlinkBatch()
            try filling.add(try create(set, named: temporary))
            for member in set.members.keys { try filling.add(try IPSetMessages.add(member, to: temporary)) }
            do throws(NetlinkError) {
                try execute(filling)
                try swap(set.name, with: temporary)
            } catch {
                _ = socket.execute(clearing)
                throw error
            }
        } catch {
            throw DataplaneError("ipset swap \(set.name)", IPSetFailure(error, kind: set.kind, capacity: set.capacity))
        }
    }
}

extension IPSetClient {
    /// Swaps sets of the same type atomically. A set of another type must be destroyed first, which fails while rules refer to it.
    private borrowing func swap(_ name: AddressSet.Name, with temporary: AddressSet.Name) throws(NetlinkError) {
        var swapping = NetlinkBatch()
        try swapping.add(try IPSetMessages.swap(name, with: temporary))
        do throws(NetlinkError) {
            try execute(swapping)
        } catch  where error.code == .subsystem(Int32(IPSET_ERR_TYPE_MISMATCH.rawValue)) {
            return try replaceOtherType(name, with: temporary)
        }
        var clearing = NetlinkBatch()
        try clearing.add(try IPSetMessages.destroy(temporary))
        try execute(clearing)
    }

    private borrowing func replaceOtherType(_ name: AddressSet.Name, with temporary: AddressSet.Name) throws(NetlinkError) {
        var replacing = NetlinkBatch()
        try replacing.add(try IPSetMessages.destroy(name))
        try replacing.add(try IPSetMessages.rename(temporary, to: name))
        do throws(NetlinkError) {
            try execute(replacing)
        } catch {
            throw NetlinkError(
                error.code, detail: "the set has another type and cannot be replaced while rules refer to it: run kube-ipvs-proxy cleanup")
        }
    }

    private borrowing func execute(_ batch: NetlinkBatch) throws(NetlinkError) {
        if let failure = socket.execute(batch).min(by: { $0.key < $1.key })?.value { throw failure }
    }
}
