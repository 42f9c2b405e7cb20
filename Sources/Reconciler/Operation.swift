public import Model

/// One change of the kernel's state: small enough to fail by itself and to be told in one line.
public enum Operation: Hashable, Sendable {
    case createSet(AddressSet)
    /// Puts a set of the right shape and size in the place of another in one step, members and all.
    case replaceSet(AddressSet)
    case addMember(AddressSet.Name, AddressSet.Member, ServiceOrigin?)
    case removeMember(AddressSet.Name, AddressSet.Member)
    case destroySet(AddressSet.Name)
    /// Gives all our chains of a family their text in one transaction a table, and inserts the jumps that are missing.
    case restoreRules(Rules, missingJumps: [Rules.Jump])
    /// Takes jumps and chains away in one transaction a table.
    case removeRules(Rules)
    /// Takes chains of kube-proxy's iptables mode away, with what leads to them, in one transaction a table.
    case removeLeftoverRules(Leftovers)
    /// Takes the table of kube-proxy's nftables mode away.
    case deleteLeftoverTable(IPFamily)
    case createDevice
    case deleteDevice
    case bind(IPAddress, ServiceOrigin?)
    case unbind(IPAddress)
    /// Its real servers are not part of it; they are added by themselves.
    case addVirtualServer(VirtualServer)
    case editVirtualServer(VirtualServer)
    case deleteVirtualServer(VirtualServer.Identity)
    case addRealServer(VirtualServer.Identity, RealServer)
    case editRealServer(VirtualServer.Identity, RealServer)
    case deleteRealServer(VirtualServer.Identity, AddressPort)
    /// Has connection tracking forget the UDP flows to a virtual server, but for those that one of these real servers answers: a flow that it remembers keeps
    /// the way that its first datagram took, and a client that keeps its socket never gets another.
    case flushConntrack(VirtualServer.Identity, except: Set<AddressPort>)
}

extension Operation {
    /// What of a NodeState it changes: what has to be observed and planned again when it fails.
    public var scope: Scope.Selection {
        switch self {
        case .createSet(let set), .replaceSet(let set): .init(members: [set.name: Set(set.members.keys)])
        case .addMember(let name, let member, _), .removeMember(let name, let member): .init(members: [name: [member]])
        case .destroySet(let name): .init(members: [name: []])
        case .restoreRules(let rules, _), .removeRules(let rules): .init(rules: [rules.family])
        case .removeLeftoverRules(let leftovers): .init(rules: [leftovers.family])
        case .deleteLeftoverTable(let family): .init(rules: [family])
        case .createDevice, .deleteDevice: .init(device: true)
        case .bind(let address, _), .unbind(let address): .init(addresses: [address])
        case .addVirtualServer(let server), .editVirtualServer(let server): .init(virtualServers: [server.identity])
        case .deleteVirtualServer(let identity): .init(virtualServers: [identity])
        case .addRealServer(let identity, _), .editRealServer(let identity, _), .deleteRealServer(let identity, _):
            .init(virtualServers: [identity])
        case .flushConntrack(let identity, _): .init(flows: [identity])
        }
    }

    /// The virtual server that it is about.
    public var virtualServer: VirtualServer.Identity? {
        if case .flushConntrack(let identity, _) = self { identity } else { scope.virtualServers.first }
    }

    /// The part of the kernel that carries it out.
    public enum Layer: Hashable, Sendable { case ipvs, sets, interfaces, rules, flows }

    public var layer: Layer {
        switch self {
        case .createSet, .replaceSet, .addMember, .removeMember, .destroySet: .sets
        case .restoreRules, .removeRules, .removeLeftoverRules, .deleteLeftoverTable: .rules
        case .createDevice, .deleteDevice, .bind, .unbind: .interfaces
        case .addVirtualServer, .editVirtualServer, .deleteVirtualServer, .addRealServer, .editRealServer, .deleteRealServer: .ipvs
        case .flushConntrack: .flows
        }
    }

    /// Not part of a batch: what follows needs its result, or it is several requests.
    public var standsAlone: Bool {
        switch self {
        case .replaceSet, .createDevice, .deleteDevice: true
        default: false
        }
    }

    /// The family of rules or of a set; nil for the others.
    var family: IPFamily? {
        switch self {
        case .createSet(let set), .replaceSet(let set): set.family
        case .restoreRules(let rules, _), .removeRules(let rules): rules.family
        case .removeLeftoverRules(let left): left.family
        case .deleteLeftoverTable(let family): family
        default: nil
        }
    }

    /// The same without the moments it remembers: what the kernel is asked for.
    public var withoutTimes: Operation {
        switch self {
        case .addRealServer(let identity, let server): .addRealServer(identity, server.withoutTimes)
        case .editRealServer(let identity, let server): .editRealServer(identity, server.withoutTimes)
        default: self
        }
    }

    /// What an operation is about and does to it, whatever its details: the name under which its failures are remembered.
    public struct Key: Hashable, Sendable {
        public var kind: OperationKind
        public var subject: Subject
    }

    public enum Subject: Hashable, Sendable {
        case set(AddressSet.Name)
        case member(AddressSet.Name, AddressSet.Member)
        case rules(IPFamily)
        case device
        case address(IPAddress)
        case virtualServer(VirtualServer.Identity)
        case realServer(VirtualServer.Identity, AddressPort)
    }

    public var key: Key { Key(kind: kind, subject: subject) }

    public var subject: Subject {
        switch self {
        case .createSet(let set), .replaceSet(let set): .set(set.name)
        case .destroySet(let name): .set(name)
        case .addMember(let name, let member, _), .removeMember(let name, let member): .member(name, member)
        case .restoreRules(let rules, _), .removeRules(let rules): .rules(rules.family)
        case .removeLeftoverRules(let left): .rules(left.family)
        case .deleteLeftoverTable(let family): .rules(family)
        case .createDevice, .deleteDevice: .device
        case .bind(let address, _), .unbind(let address): .address(address)
        case .addVirtualServer(let server), .editVirtualServer(let server): .virtualServer(server.identity)
        case .deleteVirtualServer(let identity), .flushConntrack(let identity, _): .virtualServer(identity)
        case .addRealServer(let identity, let server), .editRealServer(let identity, let server):
            .realServer(identity, server.location)
        case .deleteRealServer(let identity, let location): .realServer(identity, location)
        }
    }

    /// The Service port it is about, where that is known from the operation alone.
    public var origin: ServiceOrigin? {
        switch self {
        case .addMember(_, _, let origin), .bind(_, let origin): origin
        case .addVirtualServer(let server), .editVirtualServer(let server): server.origin
        default: nil
        }
    }

    /// A word for counting: `addRealServer`, `bind`…
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
        case .bind: .bind
        case .unbind: .unbind
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
        (copy.drainingSince, copy.warmingSince, copy.connections) = (nil, nil, nil)
        return copy
    }
}

public enum OperationKind: String, Hashable, Sendable, CaseIterable {
    case createSet, replaceSet, addMember, removeMember, destroySet, restoreRules, removeRules
    case removeLeftoverRules, deleteLeftoverTable
    case createDevice, deleteDevice, bind, unbind
    case addVirtualServer, editVirtualServer, deleteVirtualServer, addRealServer, editRealServer, deleteRealServer
    case flushConntrack
}
