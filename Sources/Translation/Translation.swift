public import Kubernetes
public import Model

/// Turns a cluster into the state a kernel of one node should have: a pure function, kept up to date part by part.
///
/// Translating Services one after the other as they change gives the same as translating all at once; the cost of a change follows the
/// Services that changed.
public struct Translation: Sendable {
    public let settings: TranslationSettings
    /// What the kernel should hold now.
    public private(set) var desired: NodeState
    /// Keys that more than one Service claims, by the Service that does not get them.
    public private(set) var conflicts: [NamespacedName: Set<VirtualServer.Identity>] = [:]

    /// What Services ask for, or their endpoints bring, that is not served.
    public private(set) var refusedClaims: [NamespacedName: Set<ServiceRefusal>] = [:]

    /// Annotations of Services and their slices that cannot be heeded.
    public private(set) var invalidAnnotations: [NamespacedName: Set<InvalidAnnotation>] = [:]

    /// Where load balancers ask whether this node has endpoints of a Service.
    public private(set) var healthChecks: [NamespacedName: HealthCheckNodePort] = [:]

    /// How many Services ask for endpoints of this node in vain.
    public private(set) var noLocalEndpoints: [NoLocalEndpoints: Int] = [:]

    /// What each Service asked for when it was translated last.
    private var keys: [NamespacedName: Keys] = [:]
    private var serverClaims = Claims<VirtualServer.Identity>()
    private var addressClaims = Claims<IPAddress>()
    private var memberClaims = Claims<ServiceState.SetMember>()
    private var nodeContext: NodeContext
    private var dependents = Dependents()
    /// Load balancers that the node itself must not reach, by the Service that says so.
    private var closedToNode: [VirtualServer.Identity: NamespacedName] = [:]
    /// What the rules were written from.
    private var proxyRules: [IPFamily: ProxyRules] = [:]

    /// Services that were translated since `takeTranslatedServices`.
    private var translated: Set<NamespacedName> = []

    private struct Keys: Sendable {
        /// `metadata.creationTimestamp`
        var created: Time?
        var servers: [VirtualServer.Identity]
        var addresses: [IPAddress]
        var members: [ServiceState.SetMember]
        var closedToNode: Set<VirtualServer.Identity>
        var noLocalEndpoints: Set<NoLocalEndpoints>
    }

    public init(_ settings: TranslationSettings) {
        self.settings = settings
        nodeContext = NodeContext(settings)
        desired = Translation.catalogue(settings)
    }

    /// The name of this node's Node object.
    public var nodeName: String { settings.nodeName }

    /// On which of this node's addresses health check node ports listen, by family.
    public var healthCheckAddresses: [IPFamily: HealthCheckAddresses] { nodeContext.healthCheckAddresses }

    /// The state of a cluster without Services: every set, chain and jump, by name.
    public static func catalogue(_ settings: TranslationSettings) -> NodeState {
        let families = IPFamily.allCases.filter(settings.families.contains)
        return NodeState(
            hasDevice: true, sets: families.flatMap { family in KubeSet.allCases.map { $0.empty(family) } },
            rules: families.map { ProxyRules(family: $0, settings: settings, localTraffic: nil, filled: []).rules })
    }

    /// Takes over what changed in the cluster and on the node.
    ///
    /// - Parameters:
    ///   - services: those that changed, with their slices, or are gone.
    ///   - localAddresses: addresses of this node on all interfaces but `kube-ipvs0`.
    /// - Returns: where `desired` may differ from before.
    public mutating func update(_ services: Set<NamespacedName>, of cluster: ClusterState, localAddresses: Set<IPAddress>) -> Scope {
        var changed = Scope.Selection()
        var waiting = services.union(dependents.concerned(by: nodeContext.update(cluster, localAddresses: localAddresses)))
        while let name = waiting.popFirst() {
            translate(name, cluster, &changed, &waiting)
        }
        for family in settings.families { updateRules(family, &changed) }
        return .only(changed)
    }

    /// Services of which something may be other than at the last call: refusals, conflicts, what they have.
    public mutating func takeTranslatedServices() -> Set<NamespacedName> {
        defer { translated = [] }
        return translated
    }

    private mutating func updateRules(_ family: IPFamily, _ changed: inout Scope.Selection) {
        let filled = KubeSet.allCases.filter { desired.sets[$0.name(family)]?.members.isEmpty == false }
        let proxyRules = ProxyRules(
            family: family, settings: settings, localTraffic: settings.localTraffic.match(family, podCIDRs: nodeContext.podCIDRs),
            filled: Set(filled), closedToNode: Set(closedToNode.keys.filter { $0.family == family }))
        guard self.proxyRules[family] != proxyRules else { return }
        self.proxyRules[family] = proxyRules
        let rules = proxyRules.rules
        guard desired.rules[family] != rules else { return }
        desired.rules[family] = rules
        changed.rules.insert(family)
    }

    // MARK: One Service

    private mutating func translate(
        _ name: NamespacedName, _ cluster: ClusterState, _ changed: inout Scope.Selection, _ waiting: inout Set<NamespacedName>
    ) {
        translated.insert(name)
        let service = cluster.services[name]
        let slices = service == nil ? [] : cluster.slices[name]?.sorted { $0.key < $1.key }.map(\.value) ?? []
        var state = service.map { ServiceState($0, slices: slices, nodeContext, before: desired.virtualServers) } ?? ServiceState()
        dependents.note(name, service, slices, state)
        // Writing what is there already would copy what a status holds.
        let (refused, invalid) = (state.refused, state.invalidAnnotations)
        if refusedClaims[name] ?? [] != refused { refusedClaims[name] = refused.isEmpty ? nil : refused }
        if invalidAnnotations[name] ?? [] != invalid { invalidAnnotations[name] = invalid.isEmpty ? nil : invalid }
        let old =
            keys[name] ?? Keys(created: nil, servers: [], addresses: [], members: [], closedToNode: [], noLocalEndpoints: [])
        let precedence = Precedence(created: service?.metadata.creationTimestamp, service: name)

        withdrawServers(name, old, keeping: state, &changed, &waiting)
        claimServers(state, precedence, &changed, &waiting)
        state.dropContested(conflicts[name] ?? [])
        withdraw(name, old, keeping: state, &changed, &waiting)
        claim(state, precedence, &changed, &waiting)

        for server in old.closedToNode where closedToNode[server] == name { closedToNode[server] = nil }
        for server in state.closedToNode { closedToNode[server] = name }
        keys[name] =
            state == ServiceState()
            ? nil
            : Keys(
                created: precedence.created, servers: Array(state.virtualServers.keys), addresses: Array(state.addresses.keys),
                members: Array(state.members.keys), closedToNode: state.closedToNode, noLocalEndpoints: state.noLocalEndpoints)
        if healthChecks[name] != state.healthCheck { healthChecks[name] = state.healthCheck }
        for gone in old.noLocalEndpoints.subtracting(state.noLocalEndpoints) { noLocalEndpoints[gone, default: 0] -= 1 }
        for new in state.noLocalEndpoints.subtracting(old.noLocalEndpoints) { noLocalEndpoints[new, default: 0] += 1 }
    }

    // MARK: Who holds what

    private func holder(_ server: VirtualServer.Identity) -> NamespacedName? { desired.virtualServers[server]?.origin?.service }
    private func holder(_ address: IPAddress) -> NamespacedName? { (desired.addresses[address] ?? nil)?.service }
    private func holder(_ member: ServiceState.SetMember) -> NamespacedName? {
        (desired.sets[member.name]?.members[member.member] ?? nil)?.service
    }

    /// The precedence of a key's holder, where that is another Service than the one that claims it.
    private func precedence(of holder: NamespacedName?, unless claimant: NamespacedName) -> Precedence? {
        guard let holder, holder != claimant else { return nil }
        return Precedence(created: keys[holder]?.created, service: holder)
    }

    // MARK: Virtual servers

    /// Gives up what the Service does not ask for any more; the next claimant, if there is one, is translated again.
    private mutating func withdrawServers(
        _ name: NamespacedName, _ old: Keys, keeping state: ServiceState, _ changed: inout Scope.Selection,
        _ waiting: inout Set<NamespacedName>
    ) {
        for key in old.servers where state.virtualServers[key] == nil {
            let holder = holder(key)
            let held = serverClaims.winner(key, holder: holder) == name
            let next = serverClaims.remove(name, from: key, holder: holder)
            guard held else { continue }
            desired.virtualServers[key] = nil
            changed.virtualServers.insert(key)
            if let next { waiting.insert(next) }
        }
    }

    private mutating func claimServers(
        _ state: ServiceState, _ precedence: Precedence, _ changed: inout Scope.Selection, _ waiting: inout Set<NamespacedName>
    ) {
        let name = precedence.service
        if conflicts[name] != nil { conflicts[name] = nil }
        var comparison = VirtualServerComparison()
        for (key, server) in state.virtualServers {
            waiting.formUnion(serverClaims.add(precedence, to: key, holder: self.precedence(of: holder(key), unless: name)))
            guard serverClaims.winner(key, holder: name) == name else {
                conflicts[name, default: []].insert(key)
                continue
            }
            guard !comparison.isSame(desired.virtualServers[key], server) else { continue }
            desired.virtualServers[key] = server
            changed.virtualServers.insert(key)
        }
    }

    // MARK: Addresses and members of sets

    private mutating func withdraw(
        _ name: NamespacedName, _ old: Keys, keeping state: ServiceState, _ changed: inout Scope.Selection,
        _ waiting: inout Set<NamespacedName>
    ) {
        for key in old.addresses where state.addresses[key] == nil {
            if let next = addressClaims.remove(name, from: key, holder: holder(key)) {
                waiting.insert(next)
            } else {
                desired.addresses[key] = nil
                changed.addresses.insert(key)
            }
        }
        for key in old.members where state.members[key] == nil {
            if let next = memberClaims.remove(name, from: key, holder: holder(key)) {
                waiting.insert(next)
            } else {
                desired.sets[key.name]?.members[key.member] = nil
                changed.members[key.name, default: []].insert(key.member)
            }
        }
    }

    private mutating func claim(
        _ state: ServiceState, _ precedence: Precedence, _ changed: inout Scope.Selection, _ waiting: inout Set<NamespacedName>
    ) {
        let name = precedence.service
        for (key, origin) in state.addresses {
            waiting.formUnion(addressClaims.add(precedence, to: key, holder: self.precedence(of: holder(key), unless: name)))
            guard addressClaims.winner(key, holder: name) == name, desired.addresses[key] != .some(origin) else { continue }
            desired.addresses.updateValue(origin, forKey: key)
            changed.addresses.insert(key)
        }
        for (key, origin) in state.members {
            waiting.formUnion(memberClaims.add(precedence, to: key, holder: self.precedence(of: holder(key), unless: name)))
            guard memberClaims.winner(key, holder: name) == name, desired.sets[key.name]?.members[key.member] != .some(origin) else {
                continue
            }
            desired.sets[key.name]?.members.updateValue(origin, forKey: key.member)
            changed.members[key.name, default: []].insert(key.member)
        }
    }
}
