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
        var rest = transaction
        while !rest.operations.isEmpty {
            do throws(NFTTransactionError) {
                try client.transact(rest.commands, table: BackendRules.tableName, family)
                return failures
            } catch {
                let rejected = rest.rejected(by: error)
                guard !rejected.isEmpty else {
                    return failures + rest.operations.map { OperationFailure($0, reason: error.description) }
                }
                var overlapping: [Operation] = []
                for (operation, reason) in rejected where !operation.isFulfilled(by: reason) {
                    if operation.isOverlap(reason) {
                        overlapping.append(operation)
                    } else {
                        failures.append(OperationFailure(operation, reason: operation.explanation(of: reason)))
                    }
                }
                failures += replaceOverlapping(overlapping, family)
                let removed = Set(rejected.keys)
                rest = SetTransaction(rest.operations.filter { !removed.contains($0) }, family)
            }
        }
        return failures
    }

    /// Adds ranges and removes those that overlap with them, in one transaction. These are no longer desired: desired ranges do not overlap.
    private borrowing func replaceOverlapping(_ operations: [Operation], _ family: IPFamily) -> [OperationFailure] {
        var failures: [OperationFailure] = []
        for operation in operations {
            guard case .addMember(let name, let member, _) = operation, case .addressPortNet(let location, let transport, let net) = member
            else { continue }
            do {
                let present = try client.elements(of: name.text, table: BackendRules.tableName, family).filter { element in
                    guard let found = AddressSet.Member(element, .hashIPPortNet, family),
                        case .addressPortNet(location, transport, let other) = found
                    else { return false }
                    return other.contains(net.address) || net.contains(other.address)
                }
                try client.transact(
                    [.deleteElements(set: name.text, present), .addElements(set: name.text, [member.element(family)])],
                    table: BackendRules.tableName, family)
            } catch {
                failures.append(OperationFailure(operation, reason: "\(error)"))
            }
        }
        return failures
    }
}

/// Operations on the sets of one family, and the commands that carry them out together.
struct SetTransaction {
    let operations: [Operation]
    private(set) var commands: [NFTCommand] = []
    /// For each command, the places of its operations; for elements, in their order.
    private var places: [[Int]] = []
    private let family: IPFamily

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

    /// The operations at fault, each with its error.
    func rejected(by error: NFTTransactionError) -> [Operation: NetlinkError] {
        var rejected: [Operation: NetlinkError] = [:]
        for failure in error.failures {
            let places = places[failure.commandIndex]
            let found =
                commands[failure.commandIndex].elements == nil || places.count == 1 ? places.first : failure.elementIndex.map { places[$0] }
            // If the kernel does not say which element is at fault, all of the command are.
            for place in found.map({ [$0] }) ?? places { rejected[operations[place]] = failure.error }
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

    fileprivate var member: AddressSet.Member? {
        switch self {
        case .addMember(_, let member, _), .removeMember(_, let member): member
        default: nil
        }
    }

    /// Whether an interval could not be added because another one overlaps with it (net/netfilter/nft_set_pipapo.c `nft_pipapo_insert`).
    fileprivate func isOverlap(_ error: NetlinkError) -> Bool {
        guard case .addMember(_, .addressPortNet, _) = self else { return false }
        return [ENOTEMPTY, EEXIST].contains { error.code == .kernel(Errno(rawValue: $0)) }
    }
}

extension AddressSetType {
    fileprivate func set(_ name: String, _ family: IPFamily) -> NFTSet {
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
