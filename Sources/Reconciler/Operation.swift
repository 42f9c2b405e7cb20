public import Model

/// One change of the kernel's state: it succeeds or fails on its own, and fits in one log line.
///
/// It is a reference: a first plan has hundreds of thousands of operations, which go from array to array.
public indirect enum Operation: Hashable, Sendable {
    case createSet(AddressSet)
    /// Replaces a set and its members atomically, to change its type or capacity.
    case replaceSet(AddressSet)
    case addMember(AddressSet.Name, AddressSet.Member, ServiceOrigin?)
    case removeMember(AddressSet.Name, AddressSet.Member)
    case destroySet(AddressSet.Name)
    /// Replaces the rules of all our chains of a family and inserts the missing jumps, in one transaction for each table.
    case restoreRules(Rules, missingJumps: [Rules.Jump])
    /// Removes the rules or sets of node proxies from a backend that this program does not use.
    case removeRules(BackendRules)
    /// Removes the chains of kube-proxy's iptables mode and the jumps to them, in one transaction for each table.
    case removeLeftoverRules(Leftovers)
    /// Deletes the table of kube-proxy's nftables mode.
    case deleteLeftoverTable(IPFamily)
    case createDevice
    case deleteDevice
    /// Sets `kube-ipvs0` up without a link-local address.
    case setDeviceUp
    case bind(IPAddress, ServiceOrigin?)
    case unbind(IPAddress)
    /// Adds the route to a service address, or replaces it by one with another source.
    case addRoute(IPAddress, LocalRoute)
    case removeRoute(IPAddress)
    /// Adds a virtual server without its real servers, which are added by operations of their own.
    case addVirtualServer(VirtualServer)
    case editVirtualServer(VirtualServer)
    case deleteVirtualServer(VirtualServer.Identity)
    case addRealServer(VirtualServer.Identity, RealServer)
    case editRealServer(VirtualServer.Identity, RealServer)
    case deleteRealServer(VirtualServer.Identity, AddressPort)
    /// Deletes the conntrack entries of UDP flows to a virtual server, except those answered by one of the given real servers. A flow keeps
    /// the destination of its first datagram while its entry exists, so a client that keeps its socket would never reach a new one.
    case flushConntrack(VirtualServer.Identity, except: Set<AddressPort>)
}

extension Operation {
    /// The part of a `NodeState` that the operation changes. If the operation fails, this part is observed and planned again.
    public var scope: Scope.Selection {
        var scope = Scope.Selection()
        addScope(to: &scope)
        return scope
    }

    /// Adds `scope` to a selection.
    public func addScope(to selection: inout Scope.Selection) {
        switch self {
        case .createSet(let set), .replaceSet(let set): selection.members[set.name, default: []].formUnion(set.members.keys)
        case .addMember(let name, let member, _), .removeMember(let name, let member): selection.members[name, default: []].insert(member)
        case .destroySet(let name): selection.members[name, default: []].formUnion([])
        case .restoreRules(let rules, _): selection.rules.insert(rules.family)
        case .removeRules(let rules): selection.rules.insert(rules.family)
        case .removeLeftoverRules(let leftovers): selection.rules.insert(leftovers.family)
        case .deleteLeftoverTable(let family): selection.rules.insert(family)
        case .createDevice, .deleteDevice, .setDeviceUp: selection.device = true
        case .bind(let address, _), .unbind(let address), .addRoute(let address, _), .removeRoute(let address):
            selection.addresses.insert(address)
        case .addVirtualServer, .editVirtualServer, .deleteVirtualServer, .addRealServer, .editRealServer, .deleteRealServer:
            if let identity = virtualServer { selection.virtualServers.insert(identity) }
        case .flushConntrack(let identity, _): selection.flows.insert(identity)
        }
    }

    /// The virtual server that the operation changes, directly, by its real servers or by its conntrack entries.
    public var virtualServer: VirtualServer.Identity? {
        switch self {
        case .addVirtualServer(let server), .editVirtualServer(let server): server.identity
        case .deleteVirtualServer(let identity), .addRealServer(let identity, _), .editRealServer(let identity, _),
            .deleteRealServer(let identity, _), .flushConntrack(let identity, _):
            identity
        default: nil
        }
    }

    /// The kernel subsystem that carries out an operation. `flows` is connection tracking.
    public enum Layer: Hashable, Sendable { case ipvs, sets, interfaces, rules, flows }

    public var layer: Layer {
        switch self {
        case .createSet, .replaceSet, .addMember, .removeMember, .destroySet: .sets
        case .restoreRules, .removeRules, .removeLeftoverRules, .deleteLeftoverTable: .rules
        case .createDevice, .deleteDevice, .setDeviceUp, .bind, .unbind, .addRoute, .removeRoute: .interfaces
        case .addVirtualServer, .editVirtualServer, .deleteVirtualServer, .addRealServer, .editRealServer, .deleteRealServer: .ipvs
        case .flushConntrack: .flows
        }
    }

    /// Whether the operation must not share a batch with others: later operations need its result, or it takes several requests.
    var mustRunAlone: Bool {
        switch self {
        case .replaceSet, .createDevice, .deleteDevice, .setDeviceUp: true
        default: false
        }
    }

    /// Whether the operation removes a service address or the route to it.
    private var removesServiceAddress: Bool {
        switch self {
        case .unbind, .removeRoute: true
        default: false
        }
    }

    /// Whether the operation may be in one batch with the operations from `first` on.
    ///
    /// One that removes a service address is in no batch with one that adds one: the same address may be added in the other form, and must
    /// not be removed if that fails.
    public func canShareBatch(with first: Operation) -> Bool {
        layer == first.layer && !mustRunAlone && !first.mustRunAlone && removesServiceAddress == first.removesServiceAddress
    }

    /// The family of an operation on rules or on a complete set; nil for other operations.
    var family: IPFamily? {
        switch self {
        case .createSet(let set), .replaceSet(let set): set.family
        case .restoreRules(let rules, _): rules.family
        case .removeRules(let rules): rules.family
        case .removeLeftoverRules(let left): left.family
        case .deleteLeftoverTable(let family): family
        default: nil
        }
    }

    /// The operation without timestamps and connection counts, that is, only with the values sent to the kernel.
    public var withoutTimes: Operation {
        switch self {
        case .addRealServer(let identity, let server): .addRealServer(identity, server.withoutTimes)
        case .editRealServer(let identity, let server): .editRealServer(identity, server.withoutTimes)
        default: self
        }
    }

    /// The kind and the subject of an operation without its other values. Failures are recorded under this key.
    public struct Key: Hashable, Sendable {
        public var kind: OperationKind
        public var subject: Subject
    }

    /// The kernel object that an operation changes.
    public enum Subject: Hashable, Sendable {
        case set(AddressSet.Name)
        case member(AddressSet.Name, AddressSet.Member)
        /// The rules in use.
        case rules(IPFamily)
        /// The rules of other proxy modes or in another backend.
        case oldRules(IPFamily)
        case device
        case address(IPAddress)
        case route(IPAddress)
        case virtualServer(VirtualServer.Identity)
        case realServer(VirtualServer.Identity, AddressPort)
    }

    public var key: Key { Key(kind: kind, subject: subject) }

    public var subject: Subject {
        switch self {
        case .createSet(let set), .replaceSet(let set): .set(set.name)
        case .destroySet(let name): .set(name)
        case .addMember(let name, let member, _), .removeMember(let name, let member): .member(name, member)
        case .restoreRules(let rules, _): .rules(rules.family)
        case .removeRules(let rules): .oldRules(rules.family)
        case .removeLeftoverRules(let left): .oldRules(left.family)
        case .deleteLeftoverTable(let family): .oldRules(family)
        case .createDevice, .deleteDevice, .setDeviceUp: .device
        case .bind(let address, _), .unbind(let address): .address(address)
        case .addRoute(let address, _), .removeRoute(let address): .route(address)
        case .addVirtualServer(let server), .editVirtualServer(let server): .virtualServer(server.identity)
        case .deleteVirtualServer(let identity), .flushConntrack(let identity, _): .virtualServer(identity)
        case .addRealServer(let identity, let server), .editRealServer(let identity, let server):
            .realServer(identity, server.location)
        case .deleteRealServer(let identity, let location): .realServer(identity, location)
        }
    }

    /// The Service port that the operation serves; nil if the operation does not carry it.
    public var origin: ServiceOrigin? {
        switch self {
        case .addMember(_, _, let origin), .bind(_, let origin): origin
        case .addRoute(_, let route): route.origin
        case .addVirtualServer(let server), .editVirtualServer(let server): server.origin
        default: nil
        }
    }

    /// The kind of the operation, as in metrics and status output: `addRealServer`, `bind`…
    public var kind: OperationKind {
        switch self {
        case .createSet: .createSet
        case .replaceSet: .replaceSet
        case .addMember: .addMember
        case .removeMember: .removeMember
        case .destroySet: .destroySet
        case .restoreRules: .restoreRules
        case .removeRules: .removeRules
        case .removeLeftoverRules: .removeLeftoverRules
        case .deleteLeftoverTable: .deleteLeftoverTable
        case .createDevice: .createDevice
        case .deleteDevice: .deleteDevice
        case .setDeviceUp: .setDeviceUp
        case .bind: .bind
        case .unbind: .unbind
        case .addRoute: .addRoute
        case .removeRoute: .removeRoute
        case .addVirtualServer: .addVirtualServer
        case .editVirtualServer: .editVirtualServer
        case .deleteVirtualServer: .deleteVirtualServer
        case .addRealServer: .addRealServer
        case .editRealServer: .editRealServer
        case .deleteRealServer: .deleteRealServer
        case .flushConntrack: .flushConntrack
        }
    }

}

extension RealServer {
    fileprivate var withoutTimes: RealServer {
        var copy = self
        (copy.drainingSince, copy.slowStartSince, copy.connections) = (nil, nil, nil)
        return copy
    }
}

public enum OperationKind: String, Hashable, Sendable, CaseIterable {
    case createSet, replaceSet, addMember, removeMember, destroySet, restoreRules, removeRules
    case removeLeftoverRules, deleteLeftoverTable
    case createDevice, deleteDevice, setDeviceUp, bind, unbind, addRoute, removeRoute
    case addVirtualServer, editVirtualServer, deleteVirtualServer, addRealServer, editRealServer, deleteRealServer
    case flushConntrack
}
