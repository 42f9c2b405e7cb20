public import Model

/// What operations wait for: an address must not answer, nor a virtual server serve, before what it stands on is there.
///
/// The order of a plan says what comes first; this says what must have succeeded.
public struct UnmetDependencies: Sendable {
    /// Families that lack rules which are desired.
    private let rules: Set<IPFamily>
    private var device: Operation?
    private var servers: [VirtualServer.Identity: Operation] = [:]
    private var serversByAddress: [IPAddress: Operation] = [:]
    private var names: [IPAddress: Operation] = [:]
    private var sets: [AddressSet.Name: Operation] = [:]
    private var bindings: [IPAddress: Operation] = [:]
    /// Addresses that could not be taken out of service.
    private var removals: [IPAddress: Operation] = [:]
    /// Addresses that a set may or may not name.
    private var unknownNames: Set<IPAddress> = []

    /// What an operation waits for.
    public enum Dependency: Hashable, Sendable {
        case operation(Operation)
        /// The rules of a family.
        case rules(IPFamily)
        /// Whether a set names it is not known.
        case observation(of: IPAddress)
    }

    /// - Parameters:
    ///   - failed: operations that failed, or wait for others themselves.
    ///   - rules: families whose rules are not known, or lack some that are desired.
    ///   - unknown: what has to be observed first.
    public init(failed: some Sequence<Operation>, rules: Set<IPFamily> = [], unknown: Scope = .nothing) {
        self.rules = rules
        if case .only(let selection) = unknown { unknownNames = Set(selection.members.values.joined().compactMap(\.namedAddress)) }
        for operation in failed { add(operation) }
    }

    public mutating func add(_ operation: Operation) {
        switch operation {
        case .createDevice: device = operation
        case .addVirtualServer(let server):
            servers[server.identity] = operation
            serversByAddress[server.identity.location.address] = operation
        case .createSet(let set), .replaceSet(let set):
            sets[set.name] = operation
            for member in set.members.keys { if let address = member.namedAddress { names[address] = operation } }
        case .unbind(let address): removals[address] = operation
        case .deleteVirtualServer(let identity): removals[identity.location.address] = operation
        case .bind(let address, _): bindings[address] = operation
        case .addMember(_, let member, _): if let address = member.namedAddress { names[address] = operation }
        default: break
        }
    }

    /// Nil where nothing is in the way.
    public func dependency(of operation: Operation) -> Dependency? {
        if let family = operation.familyWhoseRulesProtectIt, rules.contains(family) { return .rules(family) }
        if let address = operation.addressThatSetsName, unknownNames.contains(address) { return .observation(of: address) }
        return failure(before: operation).map(Dependency.operation)
    }

    private func failure(before operation: Operation) -> Operation? {
        switch operation {
        case .bind(let address, _): device ?? names[address] ?? serversByAddress[address]
        case .addVirtualServer(let server): names[server.identity.location.address]
        case .addRealServer(let identity, _), .editRealServer(let identity, _): servers[identity]
        case .addMember(let name, _, _): sets[name]
        // What sets say of an address restricts it, and says whose it is.
        case .removeMember(let name, let member): sets[name] ?? member.namedAddress.flatMap { removals[$0] }
        case .restoreRules(let rules, _): sets.values.first { $0.family == rules.family }
        // Until then its datagrams go elsewhere, and are remembered anew.
        case .flushConntrack(let identity, _): bindings[identity.location.address] ?? servers[identity]
        default: nil
        }
    }
}

extension AddressSet.Member {
    /// The service address that it names.
    fileprivate var namedAddress: IPAddress? {
        switch self {
        case .address(let address): address
        case .addressPort(let location, _): location.address
        case .addressPortAddress, .addressPortNet, .port: nil
        }
    }
}

extension Operation {
    /// A service address that sets have to name first.
    fileprivate var addressThatSetsName: IPAddress? {
        switch self {
        case .bind(let address, _): address
        case .addVirtualServer(let server): server.identity.location.address
        default: nil
        }
    }

    /// The family whose rules must stand first.
    fileprivate var familyWhoseRulesProtectIt: IPFamily? {
        switch self {
        case .bind(let address, _): address.family
        case .addVirtualServer(let server): server.identity.family
        // They may serve until our rules stand in their place.
        case .removeLeftoverRules(let left): left.family
        case .deleteLeftoverTable(let family): family
        default: nil
        }
    }
}
