public import Model

/// The failed, deferred or unknown prerequisites that keep operations of a plan from being applied.
///
/// The order of a plan determines what is applied first; this type determines what must have succeeded before. An address must not be
/// bound, and a virtual server must not be added, before the sets and rules that protect it exist, and neither may become less restricted
/// before it is removed.
public struct UnmetDependencies: Sendable {
    /// Families without all desired rules.
    public var rules: Set<IPFamily>
    private var device: Operation?
    /// The operation that sets the device up.
    private var deviceUp: Operation?
    private var servers: [VirtualServer.Identity: Operation] = [:]
    private var serversByAddress: [IPAddress: Operation] = [:]
    /// Operations that add an address to a set.
    private var additions: [IPAddress: Operation] = [:]
    private var sets: [AddressSet.Name: Operation] = [:]
    /// Operations that add an address or the route to it.
    private var bindings: [IPAddress: Operation] = [:]
    /// Operations that remove an address, the route to it, or one of its virtual servers.
    private var removals: [IPAddress: Operation] = [:]
    /// Addresses whose set membership has to be observed first.
    private var unobservedMembers: Set<IPAddress> = []

    /// The prerequisite of an operation.
    public enum Dependency: Hashable, Sendable {
        /// An operation that has not succeeded.
        case operation(Operation)
        /// The rules of a family.
        case rules(IPFamily)
        /// An observation of the sets that contain the address.
        case observation(of: IPAddress)
    }

    /// - Parameters:
    ///   - failed: the operations that failed or are deferred.
    ///   - rules: the families whose rules are not known or lack some of the desired rules.
    ///   - unknown: the scope that has to be observed first.
    public init(failed: some Sequence<Operation>, rules: Set<IPFamily> = [], unknown: Scope = .nothing) {
        self.rules = rules
        if case .only(let selection) = unknown { unobservedMembers = Set(selection.members.values.joined().compactMap(\.serviceAddress)) }
        for operation in failed { add(operation) }
    }

    /// Adds an operation that failed or is deferred.
    public mutating func add(_ operation: Operation) {
        switch operation {
        case .createDevice: device = operation
        case .setDeviceUp: deviceUp = operation
        case .addVirtualServer(let server):
            servers[server.identity] = operation
            serversByAddress[server.identity.location.address] = operation
        case .createSet(let set), .replaceSet(let set):
            sets[set.name] = operation
            for member in set.members.keys { if let address = member.serviceAddress { additions[address] = operation } }
        case .unbind(let address), .removeRoute(let address): removals[address] = operation
        case .deleteVirtualServer(let identity): removals[identity.location.address] = operation
        case .bind(let address, _), .addRoute(let address, _): bindings[address] = operation
        case .addMember(_, let member, _): if let address = member.serviceAddress { additions[address] = operation }
        default: break
        }
    }

    /// Returns the unmet prerequisite of `operation`; nil if it can be applied.
    public func dependency(of operation: Operation) -> Dependency? {
        if let family = operation.familyOfRequiredRules, rules.contains(family) { return .rules(family) }
        if let address = operation.addressRequiredInSets, unobservedMembers.contains(address) { return .observation(of: address) }
        return failure(before: operation).map(Dependency.operation)
    }

    /// Returns the failed or deferred operation that must succeed before `operation`.
    private func failure(before operation: Operation) -> Operation? {
        switch operation {
        case .bind(let address, _): device ?? additions[address] ?? serversByAddress[address]
        case .addRoute(let address, _):
            device ?? (address.family == .ipv6 ? deviceUp : nil) ?? additions[address] ?? serversByAddress[address]
        case .setDeviceUp: device
        // An address that becomes a route, or the other way around, is removed only after it was added in the other form. The last IPv4
        // address must not be removed while routes are needed, or the kernel removes them.
        case .unbind(LocalRoute.anchor): bindings.first { $0.key.family == .ipv4 }?.value
        case .unbind(let address): bindings[address] ?? (address.family == .ipv4 ? bindings[LocalRoute.anchor] : nil)
        case .removeRoute(let address): bindings[address]
        case .addVirtualServer(let server): additions[server.identity.location.address]
        case .addRealServer(let identity, _), .editRealServer(let identity, _): servers[identity]
        case .addMember(let name, _, _): sets[name]
        // Set members restrict access to an address and mark it as ours, and are needed until it is removed.
        case .removeMember(let name, let member): sets[name] ?? member.serviceAddress.flatMap { removals[$0] }
        case .restoreRules(let rules, _): sets.values.first { $0.family == rules.family }
        // Until then its datagrams reach another destination and create new conntrack entries.
        case .flushConntrack(let identity, _): bindings[identity.location.address] ?? servers[identity]
        default: nil
        }
    }
}

extension AddressSet.Member {
    /// The service address of the member; nil for other kinds of members.
    fileprivate var serviceAddress: IPAddress? {
        switch self {
        case .address(let address): address
        case .addressPort(let location, _): location.address
        case .addressPortAddress, .addressPortNet, .port: nil
        }
    }
}

extension Operation {
    /// The service address that must be a member of its sets before the operation.
    fileprivate var addressRequiredInSets: IPAddress? {
        switch self {
        case .bind(let address, _), .addRoute(let address, _): address
        case .addVirtualServer(let server): server.identity.location.address
        default: nil
        }
    }

    /// The family whose rules must be in place before the operation.
    fileprivate var familyOfRequiredRules: IPFamily? {
        switch self {
        case .bind(let address, _), .addRoute(let address, _): address.family
        case .addVirtualServer(let server): server.identity.family
        default: nil
        }
    }
}
