internal import Model
internal import Reconciler

/// Operations of one plan that are not yet applied or deferred, in order, with what decides whether they still can be.
struct PlannedOperations {
    var operations: ArraySlice<Operation> = []
    var unmetDependencies = UnmetDependencies(failed: [])
    /// What later plans compared: their operations replace those of this plan.
    var superseded = Scope.Selection()
    /// What the operations are about; nil until they are paused.
    var subjects: Subjects?

    /// What a group of operations is about. Groups without a common key do not depend on each other.
    struct Subjects {
        enum Key: Hashable {
            /// A service address: its set members, virtual servers and the address itself are changed in order.
            case address(IPAddress)
            /// A virtual server, or a set member for one, at an address that all Services share, such as one of the node.
            case virtualServer(VirtualServer.Identity)
        }

        /// The keys of operations that a plan of `selection` may contain.
        static func keys(of selection: Scope.Selection) -> Set<Key> {
            let servers = selection.virtualServers.union(selection.realServers)
            var keys = Set(selection.addresses.map(Key.address))
            keys.formUnion(servers.map { .address($0.location.address) })
            keys.formUnion(servers.map(Key.virtualServer))
            for member in selection.members.values.joined() {
                guard let (address, server) = member.addressInUse else { continue }
                keys.insert(.address(address))
                if let server { keys.insert(.virtualServer(server)) }
            }
            return keys
        }

        var keys: Set<Key> = []
        var services: Set<NamespacedName> = []
        /// The families of which service addresses or virtual servers are removed.
        var removals: Set<IPFamily> = []
    }

    /// Whether a later plan replaces the operation.
    func isSuperseded(_ operation: Operation) -> Bool {
        guard !superseded.isEmpty else { return false }
        return switch operation {
        case .addMember(let name, let member, _), .removeMember(let name, let member): superseded.members[name]?.contains(member) ?? false
        // A set that was planned earlier may lack the members that a later plan added.
        case .createSet(let set): superseded.members[set.name] != nil
        case .replaceSet(let set): superseded.members[set.name] != nil
        case .bind(let address, _), .unbind(let address), .addRoute(let address, _), .removeRoute(let address):
            superseded.device || superseded.addresses.contains(address)
        default: operation.virtualServer.map { superseded.virtualServers.contains($0) || superseded.realServers.contains($0) } ?? false
        }
    }

    func conflicts(with other: PlannedOperations) -> Bool {
        guard let mine = subjects?.keys, let others = other.subjects?.keys else { return true }
        return !mine.isDisjoint(with: others)
    }
}

extension AddressSet.Member {
    /// The service address, with the virtual server if there is one; nil for a port.
    fileprivate var addressInUse: (address: IPAddress, server: VirtualServer.Identity?)? {
        switch self {
        case .address(let address): (address, nil)
        case .addressPort(let location, let transport), .addressPortNet(let location, let transport, _),
            .addressPortAddress(let location, let transport, _):
            (location.address, VirtualServer.Identity(transport, location))
        case .port: nil
        }
    }
}

extension Operation {
    var isFlush: Bool { if case .flushConntrack = self { true } else { false } }

    /// The address that the operation is about, with the virtual server if there is one; nil for a port, a set or the device.
    var addressInUse: (address: IPAddress, server: VirtualServer.Identity?)? {
        switch self {
        case .bind(let address, _), .unbind(let address), .addRoute(let address, _), .removeRoute(let address): (address, nil)
        case .addMember(_, let member, _), .removeMember(_, let member): member.addressInUse
        default: virtualServer.map { ($0.location.address, $0) }
        }
    }

    /// Whether the operations of all Services need it first.
    var isForAllServices: Bool {
        switch self {
        case .createSet, .replaceSet, .destroySet, .createDevice, .deleteDevice, .setDeviceUp: true
        default: false
        }
    }

    var isOfRealServer: Bool {
        switch self {
        case .addRealServer, .editRealServer, .deleteRealServer: true
        default: false
        }
    }

    /// Whether the operation removes a service address or a virtual server, which rules protect until then.
    var removesService: Bool {
        switch self {
        case .unbind, .removeRoute, .deleteVirtualServer: true
        default: false
        }
    }
}
