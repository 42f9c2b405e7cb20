public import Model
public import Reconciler

/// An in-memory kernel with its own state and errors, as the real one: no code of the program changes its state.
public struct FakeKernel {
    struct Service {
        var header: VirtualServer
        var destinations: [AddressPort: RealServer] = [:]
    }

    private var services: [VirtualServer.Identity: Service] = [:]
    private var hasDevice = false
    private var isDeviceUp = false
    private var addresses: Set<IPAddress> = []
    private var routes: [IPAddress: IPAddress?] = [:]
    /// The addresses of the node, which routes may have as their source; nil for all.
    public var sources: Set<IPAddress>?
    private var sets: [AddressSet.Name: AddressSet] = [:]
    private var rules: [IPFamily: Rules] = [:]
    /// The rules of node proxies in the backend of iptables that is not in use.
    public var rulesInOtherBackends: [IPFamily: BackendRules] = [:]
    /// The rules of other proxy modes in the backend that is in use.
    public var leftovers: [IPFamily: Leftovers] = [:]

    /// The attempted operations in order, including failed ones.
    public var attempts: [Operation] = []
    public var observations: [Scope] = []
    /// Unsafe operations, such as binding an address without its rules.
    public private(set) var violations: [String] = []

    /// The number of remaining failures by kind of operation.
    public var failures: [OperationKind: Int] = [:]
    /// The subjects whose operations always fail.
    public var broken: Set<Operation.Subject> = []
    /// Addresses that it refuses as real servers, as the real kernel refuses a broadcast address.
    public var refusedAddresses: Set<IPAddress> = []
    /// Random failures; nil for none.
    public var faults: RandomFaults?
    /// Whether all reads fail.
    public var isUnreadable = false
    /// The active connections by real server.
    public var connections: [AddressPort: UInt32] = [:]
    public var dropped: [IPFamily: [Rules.Chain: UInt64]] = [:]

    public init() {}

    public struct Unreadable: Error {
        public init() {}
    }

    public var isUntouched: Bool { attempts.isEmpty && observations.isEmpty }

    public mutating func clearHistory() { (attempts, observations) = ([], []) }

    // MARK: Applying operations

    /// - Returns: the kernel's error; nil on success.
    public mutating func apply(_ operation: Operation) -> String? {
        attempts.append(operation)
        switch faults?.next(operation) {
        case nil: return carryOut(operation)
        case .refused(let reason): return reason
        case .acknowledgementLost:
            _ = carryOut(operation)
            return "timed out waiting for the kernel"
        }
    }

    private mutating func carryOut(_ operation: Operation) -> String? {
        if broken.contains(operation.subject) { return "input/output error" }
        if let left = failures[operation.kind], left > 0 {
            failures[operation.kind] = left - 1
            return "resource temporarily unavailable"
        }
        switch operation {
        case .createSet(let set):
            if sets[set.name] != nil { return "file exists" }
            sets[set.name] = set
        case .replaceSet(let set): sets[set.name] = set
        case .addMember(let name, let member, _):
            if sets[name] == nil { return "no such file or directory" }
            sets[name]?.members.updateValue(nil, forKey: member)
        case .removeMember(let name, let member):
            if sets[name]?.members.removeValue(forKey: member) == nil, sets[name] == nil { return "no such file or directory" }
        case .destroySet(let name): sets[name] = nil
        case .restoreRules(let wanted, let missing):
            let had = rules[wanted.family]?.jumps ?? []
            rules[wanted.family] = Rules(wanted.family, chains: wanted.chains, jumps: had + missing)
        case .removeRules(let removed):
            if rules[removed.family]?.jumps.isEmpty ?? true { violations.append("\(removed) are removed without rules in use") }
            rulesInOtherBackends[removed.family] = nil
        case .removeLeftoverRules(let removed):
            leftovers[removed.family] = leftovers[removed.family]?.hasTable == true ? Leftovers(removed.family, hasTable: true) : nil
        case .deleteLeftoverTable(let family):
            leftovers[family]?.hasTable = false
            if leftovers[family]?.hasRules == false { leftovers[family] = nil }
        case .createDevice: hasDevice = true
        case .deleteDevice: (hasDevice, isDeviceUp, addresses, routes) = (false, false, [], [:])
        case .setDeviceUp:
            if !hasDevice { return "no such device" }
            isDeviceUp = true
        case .bind(let address, _):
            if !hasDevice { return "no such device" }
            checkProtection(of: address)
            addresses.insert(address)
        case .unbind(let address):
            // The real kernel removes all IPv4 routes over the device with its last IPv4 address.
            if addresses.remove(address) != nil, address.family == .ipv4, !addresses.contains(where: { $0.family == .ipv4 }) {
                routes = routes.filter { $0.key.family == .ipv6 }
            }
            checkPresence(after: address)
        case .addRoute(let address, let route):
            if !hasDevice || (address.family == .ipv6 && !isDeviceUp) { return "network is down" }
            if let source = route.source, let sources, !sources.contains(source) { return "invalid argument" }
            checkProtection(of: address)
            routes.updateValue(route.source, forKey: address)
        case .removeRoute(let address):
            routes[address] = nil
            checkPresence(after: address)
        case .addVirtualServer(let server):
            if services[server.identity] != nil { return "file exists" }
            services[server.identity] = Service(header: FakeKernel.header(server))
        case .editVirtualServer(let server):
            if services[server.identity] == nil { return "no such process" }
            services[server.identity]?.header = FakeKernel.header(server)
        case .deleteVirtualServer(let identity): services[identity] = nil
        case .addRealServer(let identity, let server):
            if services[identity] == nil { return "no such process" }
            if services[identity]?.destinations[server.location] != nil { return "file exists" }
            services[identity]?.destinations[server.location] = FakeKernel.plain(server)
        case .editRealServer(let identity, let server):
            if services[identity]?.destinations[server.location] == nil { return "no such file or directory" }
            services[identity]?.destinations[server.location] = FakeKernel.plain(server)
        case .deleteRealServer(let identity, let location): services[identity]?.destinations[location] = nil
        case .flushConntrack: break
        }
        return nil
    }

    public mutating func apply(_ operations: [Operation]) -> Report {
        var report = Report()
        for operation in operations {
            if case .addRealServer(_, let server) = operation, refusedAddresses.contains(server.location.address) {
                attempts.append(operation)
                report.failures.append(.init(operation, reason: "invalid argument", isRefusal: true))
            } else if let error = apply(operation) {
                report.failures.append(.init(operation, reason: error))
            }
        }
        return report
    }

    /// A bound address answers at once, so the rules of its family and a set that contains it must exist.
    private mutating func checkProtection(of address: IPAddress) {
        if address == LocalRoute.anchor { return }
        if rules[address.family]?.jumps.isEmpty ?? true { violations.append("\(address) is bound without rules") }
        let isNamed = sets.values.contains { set in
            set.members.keys.contains { member in
                switch member {
                case .address(let named): named == address
                case .addressPort(let location, _): location.address == address
                default: false
                }
            }
        }
        if !isNamed { violations.append("\(address) is bound and in no set") }
    }

    private mutating func checkPresence(after removed: IPAddress) {
        for address in servedAddresses where !accepts(address) {
            violations.append("\(address) is not accepted after the removal of \(removed)")
        }
    }

    /// Service addresses that no operation may make unreachable.
    public var servedAddresses: Set<IPAddress> = []

    public func accepts(_ address: IPAddress) -> Bool { addresses.contains(address) || routes[address] != nil }

    static func header(_ server: VirtualServer) -> VirtualServer {
        VirtualServer(
            server.identity, scheduler: server.scheduler, flags: server.flags, timeout: server.timeout,
            affinityPrefix: server.affinityPrefix)
    }

    static func plain(_ server: RealServer) -> RealServer {
        RealServer(
            server.location, weight: server.weight, forwarding: server.forwarding, upperThreshold: server.upperThreshold,
            lowerThreshold: server.lowerThreshold)
    }

    // MARK: Reading

    /// Returns only the requested scope, without rules.
    public mutating func observe(_ scope: Scope) throws -> NodeState {
        observations.append(scope)
        if isUnreadable || faults?.failsRead() == true { throw Unreadable() }
        var state = NodeState()
        switch scope {
        case .everything:
            state.virtualServers = services.mapValues(virtualServer)
            (state.hasDevice, state.isDeviceUp) = (hasDevice, isDeviceUp)
            for (address, source) in routes { state.routes[address] = LocalRoute(source: source) }
            for address in addresses { state.addresses.updateValue(nil, forKey: address) }
            state.sets = sets
        case .only(let selection):
            if selection.headers { state.virtualServers = services.mapValues(\.header) }
            for identity in selection.virtualServers { state.virtualServers[identity] = services[identity].map(virtualServer) }
            for identity in selection.realServers.subtracting(selection.virtualServers) {
                var server = state.virtualServers[identity] ?? VirtualServer(identity)
                server.realServers = services[identity].map(virtualServer)?.realServers ?? []
                state.virtualServers[identity] = server
            }
            if selection.device || !selection.addresses.isEmpty { (state.hasDevice, state.isDeviceUp) = (hasDevice, isDeviceUp) }
            for (address, source) in routes where selection.device || selection.addresses.contains(address) {
                state.routes[address] = LocalRoute(source: source)
            }
            for address in addresses where selection.device || selection.addresses.contains(address) {
                state.addresses.updateValue(nil, forKey: address)
            }
            for name in selection.members.keys { state.sets[name] = sets[name] }
        }
        return state
    }

    private func virtualServer(_ service: Service) -> VirtualServer {
        var server = service.header
        server.realServers = RealServers(
            service.destinations.values.map { destination in
                var destination = destination
                destination.connections = .init(active: connections[destination.location] ?? 0, inactive: 0)
                return destination
            })
        return server
    }

    public mutating func observeRules(_ family: IPFamily) throws -> ObservedRules {
        if isUnreadable || faults?.failsRead() == true { throw Unreadable() }
        return ObservedRules(rules[family] ?? Rules(family), leftovers: leftovers[family], dropped: dropped[family] ?? [:])
    }

    public func observeOtherBackends(_ family: IPFamily) throws -> [BackendRules] {
        if isUnreadable { throw Unreadable() }
        return rulesInOtherBackends[family].map { [$0] } ?? []
    }

    /// The complete state.
    public var state: NodeState {
        var state = NodeState(
            virtualServers: services.values.map(virtualServer), hasDevice: hasDevice, sets: Array(sets.values), rules: Array(rules.values))
        state.isDeviceUp = isDeviceUp
        for address in addresses { state.addresses.updateValue(nil, forKey: address) }
        for (address, source) in routes { state.routes[address] = LocalRoute(source: source) }
        return state
    }

    // MARK: External changes

    public mutating func putVirtualServer(_ server: VirtualServer) {
        let destinations = Dictionary(uniqueKeysWithValues: server.realServers.map { ($0.location, FakeKernel.plain($0)) })
        services[server.identity] = Service(header: FakeKernel.header(server), destinations: destinations)
    }

    public mutating func removeVirtualServer(_ identity: VirtualServer.Identity) { services[identity] = nil }
    public mutating func removeMembers(of name: AddressSet.Name) { sets[name]?.members = [:] }
    public mutating func removeAddress(_ address: IPAddress) { addresses.remove(address) }
    public mutating func removeRules(_ family: IPFamily) { rules[family] = nil }
    public mutating func replaceSet(_ set: AddressSet) { sets[set.name] = set }
    public mutating func emptySet(_ name: AddressSet.Name) { sets[name]?.members = [:] }
    public mutating func removeRealServers(of identity: VirtualServer.Identity) { services[identity]?.destinations = [:] }
    public mutating func removeDevice() { (hasDevice, isDeviceUp, addresses, routes) = (false, false, [], [:]) }
    public mutating func addAddress(_ address: IPAddress) { addresses.insert(address) }
    public mutating func removeRoute(_ address: IPAddress) { routes[address] = nil }
    public mutating func setSource(_ source: IPAddress?, of address: IPAddress) { routes.updateValue(source, forKey: address) }

    /// The real kernel removes all IPv6 routes over a device that is set down.
    public mutating func setDeviceDown() {
        isDeviceUp = false
        routes = routes.filter { $0.key.family == .ipv4 }
    }

    public mutating func setWeight(_ weight: UInt32, of location: AddressPort, in identity: VirtualServer.Identity) {
        services[identity]?.destinations[location]?.weight = weight
    }

    /// Returns the differences from the desired state; empty if in sync.
    public func differences(from desired: NodeState) -> [String] {
        var differences: [String] = []
        for (identity, wanted) in desired.virtualServers {
            guard let found = services[identity] else {
                differences.append("no \(identity)")
                continue
            }
            if found.header.scheduler != wanted.scheduler || found.header.timeout != wanted.timeout {
                differences.append("\(identity) differs")
            }
            for server in wanted.realServers where found.destinations[server.location]?.weight != server.weight {
                let location = server.location
                differences.append("\(identity) -> \(location): \(found.destinations[location].map { "weight \($0.weight)" } ?? "missing")")
            }
            for location in found.destinations.keys where wanted.realServers[location] == nil {
                differences.append("\(identity) -> \(location) is left over")
            }
        }
        differences += services.keys.filter { desired.virtualServers[$0] == nil }.map { "\($0) is left over" }
        differences += desired.addresses.keys.filter { !addresses.contains($0) }.map { "\($0) is not bound" }
        differences += addresses.filter { desired.addresses[$0] == nil }.map { "\($0) is bound" }
        differences += state.routes.differences(from: desired.routes).map { "the route to \($0) differs" }
        if desired.isDeviceUp, !isDeviceUp { differences.append("the device is down") }
        for (name, set) in desired.sets where Set(sets[name]?.members.keys.map(\.self) ?? []) != Set(set.members.keys) {
            differences.append("\(name) differs")
        }
        for (family, wanted) in desired.rules
        where rules[family]?.chains != wanted.chains || Set(rules[family]?.jumps ?? []) != Set(wanted.jumps) {
            differences.append("rules of \(family) differ")
        }
        return differences.sorted()
    }
}
