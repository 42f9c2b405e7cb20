public import Kubernetes
public import Model
internal import OrderedCollections

/// Translates a cluster to the desired state of one node's kernel: a pure function, computed incrementally.
///
/// Translating Services one after the other as they change gives the same result as translating all at once; the cost of a change depends
/// on the Services that changed.
public struct Translation: Sendable {
    public var settings: TranslationSettings { nodeContext.settings }
    /// The state that the kernel should have.
    public private(set) var desired: NodeState
    /// Virtual servers that more than one Service claims, by the Service that does not get them.
    public private(set) var conflicts: [NamespacedName: Set<VirtualServer.Identity>] = [:]

    /// Addresses of Services and their endpoints that are refused.
    public private(set) var refusedAddresses: [NamespacedName: Set<ServiceRefusal>] = [:]

    /// Annotations of Services and their slices that are ignored.
    public private(set) var invalidAnnotations: [NamespacedName: Set<InvalidAnnotation>] = [:]

    /// The health check node ports of Services.
    public private(set) var healthChecks: [NamespacedName: HealthCheckNodePort] = [:]

    /// Number of Services with a traffic policy that requires endpoints on this node, which has none.
    public private(set) var noLocalEndpoints: [NoLocalEndpoints: Int] = [:]

    /// What each Service requested when it was last translated.
    private var keys: [NamespacedName: Keys] = [:]
    private var serverClaims = Claims<VirtualServer.Identity>()
    private var addressClaims = Claims<IPAddress>()
    private var memberClaims = Claims<ServiceState.SetMember>()
    private var nodeContext: NodeContext
    /// What the service addresses in `desired` are.
    private var binding = AddressBinding()
    private var dependents = Dependents()
    /// Load balancers that the node itself must not reach, with their Service.
    private var closedToNode: [VirtualServer.Identity: NamespacedName] = [:]
    /// The same by family. The rules share these sets, so that comparing unchanged ones is free.
    private var closedServers: [IPFamily: Set<VirtualServer.Identity>] = [:]
    /// The inputs of the desired rules.
    private var proxyRules: [IPFamily: ProxyRules] = [:]

    private var isFirstUpdate = true
    /// Services that were translated since the last `popTranslatedServices`.
    private var translated: Set<NamespacedName> = []

    private struct Keys: Sendable {
        /// `metadata.creationTimestamp`
        var created: Time?
        var servers: [VirtualServer.Identity]
        /// Bound addresses.
        var addresses: [IPAddress]
        /// All addresses, including refused ones; usually in the storage of `addresses`.
        var requested: [IPAddress]
        var members: [ServiceState.SetMember]
        var closedToNode: Set<VirtualServer.Identity>
        var noLocalEndpoints: Set<NoLocalEndpoints>
    }

    public init(_ settings: TranslationSettings) {
        nodeContext = NodeContext(settings)
        desired = Translation.catalogue(settings)
    }

    /// Adds schedulers of this node's kernel that were tested since. Services that ask for them must not have been translated yet.
    public mutating func addSchedulers(_ found: Set<Scheduler>) {
        let available = found.union(settings.schedulers)
        nodeContext.settings.schedulers =
            Scheduler.ofLinux.filter(available.contains) + settings.schedulers.filter { !Scheduler.ofLinux.contains($0) }
    }

    /// The name of this node's Node object.
    public var nodeName: String { settings.nodeName }

    /// The addresses of this node on which health check node ports listen, by family.
    public var healthCheckAddresses: [IPFamily: HealthCheckAddresses] { nodeContext.healthCheckAddresses }

    /// Returns the state for a cluster without Services: every set, chain and jump.
    public static func catalogue(_ settings: TranslationSettings) -> NodeState {
        let families = IPFamily.allCases.filter(settings.families.contains)
        return NodeState(
            hasDevice: true, sets: families.flatMap { family in KubeSet.allCases.map { $0.empty(family, in: settings.packetFilter) } },
            rules: families.map { ProxyRules(family: $0, settings: settings, localTraffic: nil, nonEmptySets: []).rules })
    }

    /// Updates `desired` after changes in the cluster and on the node.
    ///
    /// - Parameters:
    ///   - services: those that changed, themselves or in their slices, or were removed.
    ///   - addresses: those of this node.
    /// - Returns: the part of `desired` that may have changed.
    public mutating func update(_ services: Set<NamespacedName>, of cluster: ClusterState, _ addresses: NodeAddresses) -> Scope {
        // Nil for everything.
        var changed: Scope.Selection? = isFirstUpdate ? nil : Scope.Selection()
        let change = nodeContext.update(cluster, addresses)
        var pending = services.union(dependents.affected(by: change)).union(self.services(requesting: change.addresses))
        if pending.count >= Translation.largeUpdate { reserve(cluster.services.count) }
        while !pending.isEmpty {
            let names = pending
            pending = []
            translated = translated.isEmpty ? names : translated.union(names)
            for name in names {
                translate(name, cluster, &changed, &pending)
                if isFirstUpdate, needsRoutes { updateBinding(areRoutes: false, &changed) }
            }
        }
        updateBinding(areRoutes: binding.usesRoutes, &changed)
        for family in settings.families { updateRules(family, &changed) }
        isFirstUpdate = false
        return changed.map(Scope.only) ?? .everything
    }

    /// Whether the addresses have become too many. In the first update, their number only grows, and the earlier they change to routes, the
    /// cheaper.
    private var needsRoutes: Bool {
        !binding.usesRoutes && settings.serviceAddresses.usesRoutes(desired.serviceAddressCount, areRoutes: false)
    }

    /// The number of Services from which an update grows the tables once and not step by step.
    private static let largeUpdate = 1000

    /// Reserves room for Services with one port and one address, which is what almost all have at least.
    private mutating func reserve(_ count: Int) {
        keys.reserveCapacity(count)
        desired.virtualServers.reserveCapacity(count)
        if settings.serviceAddresses.usesRoutes(count, areRoutes: binding.usesRoutes) {
            desired.routes.reserveCapacity(count)
        } else {
            desired.addresses.reserveCapacity(count)
        }
    }

    /// Addresses of nodes rarely change, so an index by address would cost more than this search.
    private func services(requesting addresses: Set<IPAddress>) -> Set<NamespacedName> {
        guard !addresses.isEmpty else { return [] }
        return Set(keys.lazy.filter { $0.value.requested.contains(where: addresses.contains) }.map(\.key))
    }

    /// Returns the Services that were translated since the last call, whose refusals, conflicts or virtual servers may have changed.
    public mutating func popTranslatedServices() -> Set<NamespacedName> {
        defer { translated = [] }
        return translated
    }

    /// Continues with routes if an earlier run left some and `auto` permits both kinds, so that a restart changes nothing.
    ///
    /// - Parameter observed: the complete kernel state, which is then to be compared completely with the desired state.
    public mutating func adoptServiceAddresses(of observed: NodeState) {
        guard !observed.routes.isEmpty, !binding.usesRoutes else { return }
        var changed: Scope.Selection? = nil
        updateBinding(areRoutes: true, &changed)
        for family in settings.families { updateRules(family, &changed) }
    }

    /// Changes service addresses from addresses to routes or the other way around, or the sources of the routes.
    private mutating func updateBinding(areRoutes: Bool, _ changed: inout Scope.Selection?) {
        let usesRoutes = settings.serviceAddresses.usesRoutes(desired.serviceAddressCount, areRoutes: areRoutes)
        let binding = AddressBinding(usesRoutes: usesRoutes, sources: nodeContext.routeSources)
        if binding.usesRoutes ? self.binding != binding : self.binding.usesRoutes {
            let addresses = desired.changeServiceAddresses(to: binding, settings.families)
            changed?.addresses.formUnion(addresses)
        }
        self.binding = binding
        if changed?.addresses.contains(where: { $0.family == .ipv6 }) ?? true {
            desired.isDeviceUp = desired.routes.keys.contains { $0.family == .ipv6 }
        }
    }

    private mutating func updateRules(_ family: IPFamily, _ changed: inout Scope.Selection?) {
        let nonEmptySets = KubeSet.allCases.filter { desired.sets[$0.name(family, in: settings.packetFilter)]?.members.isEmpty == false }
        let proxyRules = ProxyRules(
            family: family, settings: settings, localTraffic: settings.localTraffic.match(family, podCIDRs: nodeContext.podCIDRs),
            nonEmptySets: Set(nonEmptySets), closedToNode: closedServers[family] ?? [], hasRoutes: binding.usesRoutes)
        guard self.proxyRules[family] != proxyRules else { return }
        self.proxyRules[family] = proxyRules
        let rules = proxyRules.rules
        guard desired.rules[family] != rules else { return }
        desired.rules[family] = rules
        changed?.rules.insert(family)
    }

    private func setName(of member: ServiceState.SetMember) -> AddressSet.Name {
        member.set.name(member.family, in: settings.packetFilter)
    }

    // MARK: One Service

    private mutating func translate(
        _ name: NamespacedName, _ cluster: ClusterState, _ changed: inout Scope.Selection?, _ pending: inout Set<NamespacedName>
    ) {
        let service = cluster.services[name]
        let slices = service == nil ? [] : cluster.slices[name]?.all ?? []
        var state = service.map { ServiceState($0, slices: slices, nodeContext, before: desired.virtualServers) } ?? ServiceState()
        dependents.update(name, service, slices)
        // An unchanged value is not assigned: that would copy storage that is shared with a status.
        let (refused, invalid) = (state.refused, state.invalidAnnotations)
        if refusedAddresses[name] ?? [] != refused { refusedAddresses[name] = refused.isEmpty ? nil : refused }
        if invalidAnnotations[name] ?? [] != invalid { invalidAnnotations[name] = invalid.isEmpty ? nil : invalid }
        let old =
            keys[name] ?? Keys(created: nil, servers: [], addresses: [], requested: [], members: [], closedToNode: [], noLocalEndpoints: [])
        let precedence = Precedence(created: service?.metadata.creationTimestamp, service: name)

        releaseServers(name, old, keeping: state, &changed, &pending)
        claimServers(state, precedence, &changed, &pending)
        state.dropContested(conflicts[name] ?? [])
        release(name, old, keeping: state, &changed, &pending)
        claim(state, precedence, &changed, &pending)

        updateClosedToNode(name, old.closedToNode, state.closedToNode)
        let addresses = state.addresses.keys.elements
        keys[name] =
            state == ServiceState()
            ? nil
            : Keys(
                created: precedence.created, servers: state.virtualServers.keys.elements, addresses: addresses,
                requested: addresses.count == state.requestedAddresses.count ? addresses : state.requestedAddresses.elements,
                members: state.members.keys.elements, closedToNode: state.closedToNode, noLocalEndpoints: state.noLocalEndpoints)
        if healthChecks[name] != state.healthCheck { healthChecks[name] = state.healthCheck }
        for removed in old.noLocalEndpoints.subtracting(state.noLocalEndpoints) { noLocalEndpoints[removed, default: 0] -= 1 }
        for added in state.noLocalEndpoints.subtracting(old.noLocalEndpoints) { noLocalEndpoints[added, default: 0] += 1 }
    }

    private mutating func updateClosedToNode(
        _ name: NamespacedName, _ before: Set<VirtualServer.Identity>, _ after: Set<VirtualServer.Identity>
    ) {
        guard before != after else { return }
        for server in before where closedToNode[server] == name {
            closedToNode[server] = nil
            closedServers[server.family]?.remove(server)
        }
        for server in after {
            closedToNode[server] = name
            closedServers[server.family, default: []].insert(server)
        }
    }

    // MARK: Holders of keys

    private func holder(_ server: VirtualServer.Identity) -> NamespacedName? { desired.virtualServers[server]?.origin?.service }
    private func holder(_ address: IPAddress) -> NamespacedName? { desired.origin(of: address)?.service }
    private func holder(_ member: ServiceState.SetMember) -> NamespacedName? {
        (desired.sets[setName(of: member)]?.members[member.member] ?? nil)?.service
    }

    /// Returns the precedence of a key's holder; nil if that is the claimant.
    private func precedence(of holder: NamespacedName?, unless claimant: NamespacedName) -> Precedence? {
        guard let holder, holder != claimant else { return nil }
        return Precedence(created: keys[holder]?.created, service: holder)
    }

    // MARK: Virtual servers

    /// Releases virtual servers that the Service no longer requests. The next claimant, if any, is translated again.
    private mutating func releaseServers(
        _ name: NamespacedName, _ old: Keys, keeping state: ServiceState, _ changed: inout Scope.Selection?,
        _ pending: inout Set<NamespacedName>
    ) {
        for key in old.servers where state.virtualServers[key] == nil {
            let holder = holder(key)
            let wasHolder = serverClaims.winner(key, holder: holder) == name
            let next = serverClaims.remove(name, from: key, holder: holder)
            guard wasHolder else { continue }
            desired.virtualServers[key] = nil
            changed?.virtualServers.insert(key)
            if let next { pending.insert(next) }
        }
    }

    private mutating func claimServers(
        _ state: ServiceState, _ precedence: Precedence, _ changed: inout Scope.Selection?, _ pending: inout Set<NamespacedName>
    ) {
        let name = precedence.service
        var lost: Set<VirtualServer.Identity> = []
        var comparison = VirtualServerComparison()
        for (key, server) in state.virtualServers {
            let before = desired.virtualServers[key]
            let holder = self.precedence(of: before?.origin?.service, unless: name)
            pending.formUnion(serverClaims.add(precedence, to: key, holder: holder))
            guard serverClaims.winner(key, holder: name) == name else {
                lost.insert(key)
                continue
            }
            guard !comparison.isSame(before, server) else { continue }
            desired.virtualServers[key] = server
            changed?.virtualServers.insert(key)
        }
        // As in `translate`: a status shares the storage.
        if conflicts[name] ?? [] != lost { conflicts[name] = lost.isEmpty ? nil : lost }
    }

    // MARK: Addresses and set members

    private mutating func release(
        _ name: NamespacedName, _ old: Keys, keeping state: ServiceState, _ changed: inout Scope.Selection?,
        _ pending: inout Set<NamespacedName>
    ) {
        for key in old.addresses where state.addresses[key] == nil {
            if let next = addressClaims.remove(name, from: key, holder: holder(key)) {
                pending.insert(next)
            } else {
                desired.removeServiceAddress(key)
                changed?.addresses.insert(key)
                removeMember(ServiceState.SetMember(serviceAddress: key), &changed)
            }
        }
        for key in old.members where state.members[key] == nil {
            if let next = memberClaims.remove(name, from: key, holder: holder(key)) {
                pending.insert(next)
            } else {
                removeMember(key, &changed)
            }
        }
    }

    private mutating func claim(
        _ state: ServiceState, _ precedence: Precedence, _ changed: inout Scope.Selection?, _ pending: inout Set<NamespacedName>
    ) {
        let name = precedence.service
        for (key, origin) in state.addresses {
            pending.formUnion(addressClaims.add(precedence, to: key, holder: self.precedence(of: holder(key), unless: name)))
            guard addressClaims.winner(key, holder: name) == name else { continue }
            if desired.setServiceAddress(key, origin, binding) { changed?.addresses.insert(key) }
            setMember(ServiceState.SetMember(serviceAddress: key), origin, &changed)
        }
        for (key, origin) in state.members {
            let before = desired.sets[setName(of: key)]?.members[key.member] ?? nil
            let holder = self.precedence(of: before?.service, unless: name)
            pending.formUnion(memberClaims.add(precedence, to: key, holder: holder))
            guard memberClaims.winner(key, holder: name) == name else { continue }
            setMember(key, origin, &changed)
        }
    }

    private mutating func setMember(_ member: ServiceState.SetMember, _ origin: ServiceOrigin, _ changed: inout Scope.Selection?) {
        let set = setName(of: member)
        guard let index = desired.sets.index(forKey: set), desired.sets.values[index].members[member.member] != .some(origin) else {
            return
        }
        desired.sets.values[index].members.updateValue(origin, forKey: member.member)
        changed?.members[set, default: []].insert(member.member)
    }

    private mutating func removeMember(_ member: ServiceState.SetMember, _ changed: inout Scope.Selection?) {
        let set = setName(of: member)
        desired.sets[set]?.members[member.member] = nil
        changed?.members[set, default: []].insert(member.member)
    }
}
