internal import Glibc
internal import Model
internal import Netlink
internal import Reconciler
internal import SystemPackage

/// The sets in this program's tables of nf_tables.
struct NFTablesSets: ~Copyable {
    private let client: NFTablesClient

    init() throws(DataplaneError) { client = try NFTablesClient() }

    init(_ client: consuming NFTablesClient) { self.client = client }

    /// The port of its socket.
    var port: UInt32 { client.port }

    /// The set of this name with its members; nil if there is none.
    ///
    /// - Parameter expected: supplies the name, and the values that the kernel does not return.
    borrowing func set(_ expected: AddressSet, _ family: IPFamily) throws(DataplaneError) -> AddressSet? {
        let name = expected.name.text
        guard let found = try client.set(name, table: BackendRules.tableName, family) else { return nil }
        var set = expected
        set.members = [:]
        guard found == expected.kind.set(name, family) else {
            // Any type that differs from the expected one; its members do not matter.
            set.kind = expected.kind == .hashIP ? .bitmapPort : .hashIP
            return set
        }
        for element in try client.elements(of: name, table: BackendRules.tableName, family) {
            // Intervals of others have no member of their own; they stay until the set is replaced.
            guard let member = AddressSet.Member(element, expected.kind, family) else { continue }
            set.members.updateValue(nil, forKey: member)
        }
        return set
    }

    /// Carries out operations on sets, those of each family in one transaction, and returns the failures.
    ///
    /// A transaction that is larger than the socket's send buffer is split.
    borrowing func apply(_ operations: [Operation]) -> [OperationFailure] {
        IPFamily.allCases.flatMap { family in
            let ofFamily = operations.filter { $0.store == .table(family) }
            return SetTransaction.parts(ofFamily, family, limit: client.maximumTransactionBytes).flatMap { apply($0, family) }
        }
    }

    /// Carries out a transaction; if the kernel rejects it, without the operations at fault.
    private borrowing func apply(_ transaction: SetTransaction, _ family: IPFamily) -> [OperationFailure] {
        var failures: [OperationFailure] = []
        var rest: SetTransaction
        do {
            rest = try withoutOverlaps(transaction.operations, family)
        } catch {
            return transaction.operations.map { OperationFailure($0, reason: error.description) }
        }
        while !rest.operations.isEmpty {
            do throws(NFTTransactionError) {
                try client.transact(rest.commands, table: BackendRules.tableName, family)
                return failures
            } catch {
                guard let rejected = rest.rejected(by: error) else {
                    // Some of these are at fault, but the kernel does not say which.
                    let half = rest.operations.count / 2
                    return failures + apply(SetTransaction(rest.operations[..<half], family), family)
                        + apply(SetTransaction(rest.operations[half...], family), family)
                }
                guard !rejected.isEmpty else {
                    return failures + rest.operations.map { OperationFailure($0, reason: error.description) }
                }
                for operation in rest.operations {
                    guard let reason = rejected[operation], !operation.isFulfilled(by: reason) else { continue }
                    failures.append(OperationFailure(operation, reason: operation.explanation(of: reason)))
                }
                rest = rest.without(Set(rejected.keys))
            }
        }
        return failures
    }

    /// A transaction that removes the ranges in the kernel that overlap with ranges to be added, and only ranges that exist. Those that overlap
    /// are no longer desired, because desired ranges do not overlap.
    ///
    /// The kernel refuses to add most of such ranges; Linux 5.10 and 6.1 ignore them. If it is to remove a range that does not exist, it removes
    /// one that contains the first address (net/netfilter/nft_set_pipapo.c `nft_pipapo_insert`, `nft_pipapo_deactivate`).
    private borrowing func withoutOverlaps(_ operations: [Operation], _ family: IPFamily) throws(DataplaneError) -> SetTransaction {
        var added: [String: RangesByPort] = [:]
        for operation in operations {
            guard let range = operation.range else { continue }
            added[range.set, default: RangesByPort()].insert(operation.memberChange?.isAddition == true ? range.net : nil, of: range.server)
        }
        guard !added.isEmpty else { return SetTransaction(operations, family) }
        var present: [String: RangesByPort] = [:]
        for name in added.keys {
            for element in try client.elements(of: name, table: BackendRules.tableName, family) {
                guard let member = AddressSet.Member(element, .hashIPPortNet, family),
                    case .addressPortNet(let location, let transport, let net) = member
                else { continue }
                present[name, default: RangesByPort()].insert(net, of: .init(transport, location))
            }
        }
        var obsolete: [String: RangesByPort] = [:]
        for (name, added) in added { obsolete[name] = present[name]?.overlapping(added) }
        var transaction = SetTransaction(
            operations.filter { operation in
                guard let range = operation.range, operation.memberChange?.isAddition == false else { return true }
                // What is obsolete is removed before the additions: after them, its removal would hit the range that contains it.
                return present[range.set]?.contains(range.net, of: range.server) == true
                    && obsolete[range.set]?.contains(range.net, of: range.server) != true
            }, family)
        transaction.remove(obsolete.mapValues { $0.elements(family) }.filter { !$0.value.isEmpty })
        return transaction
    }
}

/// Ranges of clients, by the address and port that they may use.
struct RangesByPort {
    private var ranges: [VirtualServer.Identity: Set<CIDR>] = [:]

    mutating func insert(_ range: CIDR?, of server: VirtualServer.Identity) {
        if let range { ranges[server, default: []].insert(range) }
    }

    func contains(_ range: CIDR, of server: VirtualServer.Identity) -> Bool { ranges[server]?.contains(range) ?? false }

    /// The ranges that contain a range of `others`, or are contained in one, and are none of them.
    func overlapping(_ others: RangesByPort) -> RangesByPort {
        var found = RangesByPort()
        for (server, others) in others.ranges {
            guard let mine = ranges[server] else { continue }
            let containing = Set(others.flatMap(\.strictlyContaining)).intersection(mine)
            let contained = mine.filter { !others.isDisjoint(with: $0.strictlyContaining) }
            found.ranges[server] = containing.union(contained).subtracting(others)
        }
        return found
    }

    /// The ranges as elements of a set.
    func elements(_ family: IPFamily) -> [NFTElement] {
        ranges.flatMap { server, ranges in
            ranges.map { AddressSet.Member.addressPortNet(server.location, server.transport, $0).element(family) }
        }
    }
}

extension CIDR {
    /// The larger blocks that contain the block.
    fileprivate var strictlyContaining: [CIDR] { (0..<prefixLength).compactMap { CIDR(address, prefixLength: $0) } }
}

/// Operations on the sets of one family, and the commands that carry them out together.
struct SetTransaction {
    let operations: [Operation]
    private(set) var commands: [NFTCommand] = []
    /// For each command, the places of its operations; for elements, in their order.
    private var places: [[Int]] = []
    private let family: IPFamily
    /// Elements to delete first, by set.
    private var obsolete: [String: [NFTElement]] = [:]

    init(_ operations: some Sequence<Operation>, _ family: IPFamily) {
        self.family = family
        self.operations = Array(operations)
        var place = 0
        while place < self.operations.count {
            let change = self.operations[place].memberChange
            // Consecutive changes of a set's members are one command.
            let run = change == nil ? self.operations[place...place] : self.operations[place...].prefix { $0.memberChange == change }
            if let change { append(change, run) } else { append(self.operations[place], place) }
            place = run.endIndex
        }
    }

    /// Splits operations so that each part fits in a transaction.
    ///
    /// - Parameter limit: in bytes.
    static func parts(_ operations: [Operation], _ family: IPFamily, limit: Int) -> [SetTransaction] {
        let whole = SetTransaction(operations, family)
        let size = whole.commands.reduce(0) { $0 + $1.byteCount }
        guard size > limit, operations.count > 1 else { return operations.isEmpty ? [] : [whole] }
        let half = operations.count / 2
        return parts(Array(operations[..<half]), family, limit: limit) + parts(Array(operations[half...]), family, limit: limit)
    }

    private mutating func append(_ operation: Operation, _ place: Int) {
        switch operation {
        case .createSet(let set):
            append(.addTable, place)
            append(.addSet(set.kind.set(set.name.text, family)), place)
        case .replaceSet(let set):
            // A set of another type can only be deleted while no rule refers to it.
            append(.addTable, place)
            append(.deleteSet(set.name.text), place)
            append(.addSet(set.kind.set(set.name.text, family)), place)
            append(.addElements(set: set.name.text, set.members.keys.map { $0.element(family) }), place)
        case .destroySet(let name): append(.deleteSet(name.text), place)
        default: break
        }
    }

    private mutating func append(_ command: NFTCommand, _ place: Int) {
        commands.append(command)
        places.append([place])
    }

    private mutating func append(_ change: MemberChange, _ run: ArraySlice<Operation>) {
        let elements = run.compactMap { $0.member?.element(family) }
        commands.append(
            change.isAddition ? .addElements(set: change.set.text, elements) : .deleteElements(set: change.set.text, elements))
        places.append(Array(run.indices))
    }

    /// Deletes elements before all operations.
    mutating func remove(_ elements: [String: [NFTElement]]) {
        obsolete.merge(elements) { $1 }
        let deletions = elements.sorted { $0.key < $1.key }.map { NFTCommand.deleteElements(set: $0.key, $0.value) }
        commands = deletions + commands
        places = deletions.map { _ in [] } + places
    }

    /// The transaction without some of its operations.
    func without(_ operations: Set<Operation>) -> SetTransaction {
        var rest = SetTransaction(self.operations.filter { !operations.contains($0) }, family)
        rest.remove(obsolete)
        return rest
    }

    /// The operations at fault, each with its error; nil if the kernel does not say which of a command's elements is at fault.
    func rejected(by error: NFTTransactionError) -> [Operation: NetlinkError]? {
        var rejected: [Operation: NetlinkError] = [:]
        for failure in error.failures {
            let places = places[failure.commandIndex]
            if places.count == 1 || commands[failure.commandIndex].elements == nil {
                for place in places { rejected[operations[place]] = failure.error }
            } else if let element = failure.elementIndex, places.indices.contains(element) {
                rejected[operations[places[element]]] = failure.error
            } else if !places.isEmpty {
                return nil
            }
        }
        return rejected
    }
}

/// What an operation does with a member of a set.
private struct MemberChange: Equatable {
    let set: AddressSet.Name
    let isAddition: Bool
}

extension Operation {
    /// Nil if the operation concerns no member.
    fileprivate var memberChange: MemberChange? {
        switch self {
        case .addMember(let name, _, _): MemberChange(set: name, isAddition: true)
        case .removeMember(let name, _): MemberChange(set: name, isAddition: false)
        default: nil
        }
    }

    /// The range of clients that the operation adds or removes, with its set and the server that it may use; nil for other operations.
    fileprivate var range: (set: String, server: VirtualServer.Identity, net: CIDR)? {
        switch self {
        case .addMember(let name, .addressPortNet(let location, let transport, let net), _),
            .removeMember(let name, .addressPortNet(let location, let transport, let net)):
            (name.text, .init(transport, location), net)
        default: nil
        }
    }

    fileprivate var member: AddressSet.Member? {
        switch self {
        case .addMember(_, let member, _), .removeMember(_, let member): member
        default: nil
        }
    }
}

extension AddressSetType {
    /// Such a set in nf_tables.
    func set(_ name: String, _ family: IPFamily) -> NFTSet {
        NFTSet(name: name, key: key(family), hasIntervals: self == .hashIPPortNet)
    }
}

extension AddressSet.Member {
    /// The member as an element of a set in nf_tables.
    func element(_ family: IPFamily) -> NFTElement {
        func key(_ location: AddressPort, _ transport: Transport) -> [UInt8] {
            location.address.bytes + [transport.number, 0, 0, 0] + location.port.networkBytes + [0, 0]
        }
        switch self {
        case .address(let address): return NFTElement(key: address.bytes)
        case .addressPort(let location, let transport): return NFTElement(key: key(location, transport))
        case .addressPortAddress(let location, let transport, let source):
            return NFTElement(key: key(location, transport) + source.bytes)
        case .addressPortNet(let location, let transport, let net):
            let start = key(location, transport)
            return NFTElement(key: start + net.address.bytes, keyEnd: start + net.lastAddress.bytes)
        case .port(let port): return NFTElement(key: port.networkBytes)
        }
    }

    /// Nil if the element is none of such a set.
    init?(_ element: NFTElement, _ kind: AddressSetType, _ family: IPFamily) {
        var rest = element.key[...]
        func takeAddress() -> IPAddress? {
            defer { rest = rest.dropFirst(family.addressBits / 8) }
            return IPAddress(bytes: rest.prefix(family.addressBits / 8))
        }
        func takePort() -> UInt16? {
            defer { rest = rest.dropFirst(4) }
            return networkOrder(rest)
        }
        func takeLocation() -> (AddressPort, Transport)? {
            guard let address = takeAddress(), let number = rest.first, let transport = Transport(number: number) else { return nil }
            rest = rest.dropFirst(4)
            return takePort().map { (AddressPort(address, $0), transport) }
        }
        if kind == .hashIP || kind == .bitmapPort {
            guard let member = kind == .hashIP ? takeAddress().map(Self.address) : takePort().map(Self.port) else { return nil }
            self = member
            return
        }
        guard let (location, transport) = takeLocation() else { return nil }
        switch kind {
        case .hashIPPortIP:
            guard let source = takeAddress() else { return nil }
            self = .addressPortAddress(location, transport, source)
        case .hashIPPortNet:
            guard let start = takeAddress(),
                let net = CIDR(start, end: IPAddress(bytes: (element.keyEnd ?? element.key).suffix(family.addressBits / 8)) ?? start)
            else { return nil }
            self = .addressPortNet(location, transport, net)
        default: self = .addressPort(location, transport)
        }
    }
}

extension CIDR {
    /// The block from one address to another; nil if they are not the first and last one of a block.
    fileprivate init?(_ start: IPAddress, end: IPAddress) {
        let common = zip(start.bytes, end.bytes).reduce((bits: 0, isSame: true)) { found, pair in
            guard found.isSame else { return found }
            let same = (pair.0 ^ pair.1).leadingZeroBitCount
            return (found.bits + same, same == 8)
        }
        guard let block = CIDR(start, prefixLength: common.bits), block.address == start, block.lastAddress == end else { return nil }
        self = block
    }
}
