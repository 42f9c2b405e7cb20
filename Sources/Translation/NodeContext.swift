internal import Kubernetes
internal import Model

/// What decides the share of a Service besides the Service itself: the settings, this node, the other nodes.
struct NodeContext: Sendable {
    let settings: TranslationSettings
    /// Addresses of this node on interfaces other than `kube-ipvs0`.
    private(set) var localAddresses: Set<IPAddress> = []
    /// Addresses on which node ports answer, by family.
    private(set) var nodePortAddresses: [IPFamily: [IPAddress]] = [:]
    /// This node's own address of each family: the Node object's first, or what the settings say.
    private(set) var primaryAddresses: [IPAddress] = []
    private(set) var podCIDRs: [CIDR] = []
    private(set) var zone: String?
    /// Addresses of all known Nodes.
    private var nodeAddresses: Set<IPAddress> = []
    /// Those of this node's Node.
    private var ownAddresses: Set<IPAddress> = []
    private var apiServerAddresses: Set<IPAddress> = []
    private var otherNodes = OtherNodes.known

    /// What the addresses were read from.
    private var nodes: [String: Node] = [:]
    private var apiServerSlices: [NamespacedName: EndpointSlice] = [:]
    private var ownNode: Node?

    init(_ settings: TranslationSettings) {
        self.settings = settings
        primaryAddresses = NodeIPs(hostAddresses: [], bindAddress: settings.bindAddress).addresses
    }

    /// What of it changed.
    struct Change {
        /// Addresses that became or ceased to be some node's or the API server's.
        var addresses: Set<IPAddress> = []
        var nodePortAddresses = false
        var primaryAddresses = false
        var zone = false
        /// Whether the addresses of other Nodes are known, or not.
        var otherNodes = false
    }

    mutating func update(_ cluster: ClusterState, localAddresses: Set<IPAddress>) -> Change {
        let before = self
        self.localAddresses = localAddresses
        updateNodes(cluster.nodes)
        otherNodes = cluster.otherNodes
        let slices = cluster.slices[NodeContext.apiServer] ?? [:]
        if slices != apiServerSlices {
            apiServerSlices = slices
            apiServerAddresses = Set(slices.values.flatMap(\.endpoints).flatMap(\.addresses))
        }
        for family in settings.families {
            nodePortAddresses[family] = settings.nodePortAddresses.addresses(family, local: localAddresses, primary: primaryAddresses)
        }
        return Change(
            addresses: localAddresses.changes(since: before.localAddresses).union(nodeAddresses.changes(since: before.nodeAddresses)).union(
                apiServerAddresses.changes(since: before.apiServerAddresses)),
            nodePortAddresses: before.nodePortAddresses != nodePortAddresses, primaryAddresses: before.primaryAddresses != primaryAddresses,
            zone: before.zone != zone, otherNodes: before.otherNodes != otherNodes)
    }

    /// Comparing costs nothing while nobody has touched them, for then both share their storage.
    private mutating func updateNodes(_ nodes: [String: Node]) {
        guard nodes != self.nodes else { return }
        self.nodes = nodes
        // A Node object that is deleted says nothing new about the node, which is still here.
        if let node = nodes[settings.nodeName] {
            ownNode = node
            podCIDRs = node.podCIDRs.compactMap { CIDR($0) }
            primaryAddresses = NodeIPs(hostAddresses: node.hostAddresses, bindAddress: settings.bindAddress).addresses
            zone = node.zone
            ownAddresses = Set(node.addresses.compactMap { IPAddress($0.address) })
        }
        let known = Array(nodes.values) + [ownNode].compactMap(\.self)
        nodeAddresses = Set(known.flatMap(\.addresses).compactMap { IPAddress($0.address) })
    }

    /// The Service whose endpoints are the API servers.
    private static let apiServer = NamespacedName(namespace: "default", name: "kubernetes")

    /// Why a Service must not have an address; nil where it may.
    ///
    /// Binding an address of a node would cut this node off from it, and this node's own from everybody: everything but the Service's ports would be
    /// refused on it.
    func reasonToRefuse(_ address: IPAddress, as field: ServiceRefusal.Field) -> ServiceRefusal.Reason? {
        if address.isHarmfulAsService { return .reserved }
        if apiServerAddresses.contains(address) { return .apiServer }
        switch field {
        // The API server gives cluster IPs out; who writes the status of a Node must not take them away from Services.
        case .clusterIP: return ownAddresses.contains(address) || localAddresses.contains(address) ? .node : nil
        case .externalIP where nodeAddresses.contains(address), .loadBalancerIngress where nodeAddresses.contains(address): return .node
        case .externalIP: return settings.allowsExternalIP(address) ? nil : .notAllowed
        case .loadBalancerIngress, .endpoint: return nil
        }
    }

    /// Whether it shows later whether a Service may have an address: when the other Nodes have been listed.
    func isUndecided(_ field: ServiceRefusal.Field) -> Bool {
        switch field {
        case .externalIP, .loadBalancerIngress: otherNodes == .pending
        case .clusterIP, .endpoint: false
        }
    }

    /// Whether clients on the node itself are among those that a restricted load balancer lets in.
    func isNode(in ranges: [CIDR]) -> Bool { primaryAddresses.contains { address in ranges.contains { $0.contains(address) } } }

    /// Whether an interface other than `kube-ipvs0` makes the kernel take packets to the address in.
    func isHeldElsewhere(_ address: IPAddress) -> Bool { localAddresses.contains(address) }

    var healthCheckAddresses: [IPFamily: HealthCheckAddresses] {
        settings.families.reduce(into: [:]) { result, family in
            result[family] = settings.nodePortAddresses.healthCheckAddresses(family, local: localAddresses, primary: primaryAddresses)
        }
    }

    var topology: Topology { Topology(nodeName: settings.nodeName, zone: zone) }
}

extension Set {
    /// Sets that share their storage are equal at once.
    fileprivate func changes(since before: Set) -> Set { self == before ? [] : symmetricDifference(before) }
}
