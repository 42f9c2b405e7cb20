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

    /// Addresses that a Service asks for and does not get, because they are this node's own or nobody's.
    public private(set) var refusals: [NamespacedName: Set<IPAddress>] = [:]

    /// What each Service asked for when it was translated last.
    private var keys: [NamespacedName: Keys] = [:]
    private var serverClaims = Claims<VirtualServer.Identity>()
    private var addressClaims = Claims<IPAddress>()
    private var memberClaims = Claims<ServiceState.SetMember>()
    private var nodePortAddresses: [IPFamily: [IPAddress]] = [:]
    private var podCIDRs: [CIDR] = []
    private var primaryAddresses: [IPAddress] = []
    private var localAddresses: Set<IPAddress> = []
    /// Services with node ports: those that a change of the node's addresses concerns.
    private var nodePortServices: Set<NamespacedName> = []

    private struct Keys: Sendable {
        var servers: [VirtualServer.Identity]
        var addresses: [IPAddress]
        var members: [ServiceState.SetMember]
    }

    public init(_ settings: TranslationSettings) {
        self.settings = settings
        desired = Translation.catalogue(settings)
    }

    /// The name of this node's Node object.
    public var nodeName: String { settings.nodeName }

    /// The state of a cluster without Services: every set, chain and jump, by name.
    public static func catalogue(_ settings: TranslationSettings) -> NodeState {
        let families = IPFamily.allCases.filter(settings.families.contains)
        return NodeState(
            hasDevice: true, sets: families.flatMap { family in KubeSet.allCases.map { $0.empty(family) } },
            rules: families.map { Masquerade(family: $0, settings: settings, localTraffic: nil, filled: []).rules })
    }

    /// Takes over what changed in the cluster and on the node.
    ///
    /// - Parameters:
    ///   - services: those that changed, with their slices, or are gone.
    ///   - localAddresses: addresses of this node on all interfaces but `kube-ipvs0`.
    /// - Returns: where `desired` may differ from before.
    public mutating func update(_ services: Set<NamespacedName>, of cluster: ClusterState, localAddresses: Set<IPAddress>) -> Scope {
        var changed = Scope.Selection()
        var waiting = services
        waiting.formUnion(concerned(by: localAddresses))
        if updateNode(cluster.nodes[settings.nodeName], localAddresses) { waiting.formUnion(nodePortServices) }
        while let name = waiting.popFirst() {
            translate(name, cluster, &changed, &waiting)
        }
        for family in settings.families {
            let rules = rules(family)
            guard desired.rules[family] != rules else { continue }
            desired.rules[family] = rules
            changed.rules.insert(family)
        }
        return .only(changed)
    }

    /// Services whose address became or ceased to be one of the node.
    private func concerned(by addresses: Set<IPAddress>) -> Set<NamespacedName> {
        let changed = addresses.symmetricDifference(localAddresses)
        guard !changed.isEmpty else { return [] }
        return Set(changed.compactMap { addressClaims.winner($0) }).union(refusals.keys)
    }

    /// Whether node ports answer elsewhere than before.
    private mutating func updateNode(_ node: Node?, _ localAddresses: Set<IPAddress>) -> Bool {
        self.localAddresses = localAddresses
        // A Node object that is deleted says nothing new about the node, which is still here.
        if let node {
            podCIDRs = node.podCIDRs.compactMap { CIDR($0) }
            primaryAddresses = node.hostAddresses
        }
        let before = nodePortAddresses
        for family in settings.families {
            nodePortAddresses[family] = settings.nodePortAddresses.addresses(family, local: localAddresses, primary: primaryAddresses)
        }
        return nodePortAddresses != before
    }

    private func rules(_ family: IPFamily) -> Rules {
        let filled = KubeSet.allCases.filter { desired.sets[$0.name(family)]?.members.isEmpty == false }
        return Masquerade(
            family: family, settings: settings, localTraffic: settings.localTraffic.match(family, podCIDRs: podCIDRs), filled: Set(filled)
        ).rules
    }

    // MARK: One Service

    private mutating func translate(
        _ name: NamespacedName, _ cluster: ClusterState, _ changed: inout Scope.Selection, _ waiting: inout Set<NamespacedName>
    ) {
        var state = ServiceState()
        var precedence = Precedence(created: nil, service: name)
        nodePortServices.remove(name)
        if let service = cluster.services[name] {
            let surroundings = ServiceState.Surroundings(
                settings: settings, nodePortAddresses: nodePortAddresses, localAddresses: localAddresses)
            state = ServiceState(service, slices: cluster.slices[name].map { Array($0.values) } ?? [], surroundings)
            precedence.created = service.metadata.creationTimestamp
            if service.ports.contains(where: { $0.nodePort != 0 }) { nodePortServices.insert(name) }
        }
        refusals[name] = state.refused.isEmpty ? nil : state.refused
        withdraw(name, keeping: state, &changed, &waiting)
        claim(state, precedence, &changed, &waiting)
    }

    /// Gives up what the Service does not ask for any more; the next claimant, if there is one, is translated again.
    private mutating func withdraw(
        _ name: NamespacedName, keeping state: ServiceState, _ changed: inout Scope.Selection, _ waiting: inout Set<NamespacedName>
    ) {
        guard let old = keys[name] else { return }
        for key in old.servers where state.virtualServers[key] == nil {
            let held = serverClaims.winner(key) == name
            serverClaims.remove(name, from: key)
            guard held else { continue }
            desired.virtualServers[key] = nil
            changed.virtualServers.insert(key)
            if let next = serverClaims.winner(key) { waiting.insert(next) }
        }
        for key in old.addresses where state.addresses[key] == nil {
            addressClaims.remove(name, from: key)
            if let next = addressClaims.winner(key) {
                waiting.insert(next)
            } else {
                desired.addresses[key] = nil
                changed.addresses.insert(key)
            }
        }
        for key in old.members where state.members[key] == nil {
            memberClaims.remove(name, from: key)
            if let next = memberClaims.winner(key) {
                waiting.insert(next)
            } else {
                desired.sets[key.set]?.members[key.member] = nil
                changed.members[key.set, default: []].insert(key.member)
            }
        }
    }

    private mutating func claim(
        _ state: ServiceState, _ precedence: Precedence, _ changed: inout Scope.Selection, _ waiting: inout Set<NamespacedName>
    ) {
        let name = precedence.service
        conflicts[name] = nil
        for (key, server) in state.virtualServers {
            waiting.formUnion(serverClaims.add(precedence, to: key))
            guard serverClaims.winner(key) == name else {
                conflicts[name, default: []].insert(key)
                continue
            }
            guard desired.virtualServers[key] != server else { continue }
            desired.virtualServers[key] = server
            changed.virtualServers.insert(key)
        }
        for (key, origin) in state.addresses {
            waiting.formUnion(addressClaims.add(precedence, to: key))
            guard addressClaims.winner(key) == name, desired.addresses[key] != .some(origin) else { continue }
            desired.addresses.updateValue(origin, forKey: key)
            changed.addresses.insert(key)
        }
        for (key, origin) in state.members {
            waiting.formUnion(memberClaims.add(precedence, to: key))
            guard memberClaims.winner(key) == name, desired.sets[key.set]?.members[key.member] != .some(origin) else { continue }
            desired.sets[key.set]?.members.updateValue(origin, forKey: key.member)
            changed.members[key.set, default: []].insert(key.member)
        }
        keys[name] =
            state == ServiceState()
            ? nil
            : Keys(servers: Array(state.virtualServers.keys), addresses: Array(state.addresses.keys), members: Array(state.members.keys))
    }
}
