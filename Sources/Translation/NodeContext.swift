internal import Kubernetes
internal import Model

/// The inputs of the translation besides Services and their slices: the settings, this node, the other nodes and the API server.
struct NodeContext: Sendable {
    var settings: TranslationSettings
    /// Addresses of this node on interfaces other than `kube-ipvs0`.
    private(set) var localAddresses: Set<IPAddress> = []
    /// Those of `localAddresses` that cannot be the source of a route.
    private(set) var tentativeAddresses: Set<IPAddress> = []
    /// Addresses on which node ports are served, by family.
    private(set) var nodePortAddresses: [IPFamily: [IPAddress]] = [:]
    /// This node's address of each family: the Node object's first, or the bind address from the settings.
    private(set) var primaryAddresses: [IPAddress] = []
    private(set) var podCIDRs: [CIDR] = []
    private(set) var zone: String?
    /// Addresses of all known Nodes.
    private(set) var nodeAddresses: Set<IPAddress> = []
    /// Addresses of this node's Node object.
    private(set) var ownAddresses: Set<IPAddress> = []
    private(set) var apiServerAddresses: Set<IPAddress> = []
    private(set) var otherNodes = OtherNodes.known

    /// The objects that the addresses were read from.
    private var nodes: [String: Node] = [:]
    private var apiServerSlices = ServiceSlices()
    private var ownNode: Node?

    init(_ settings: TranslationSettings) {
        self.settings = settings
        primaryAddresses = NodeIPs(hostAddresses: [], bindAddress: settings.bindAddress).addresses
    }

    /// The parts of the context that changed.
    struct Change {
        /// Addresses that were added to or removed from a node or the API server.
        var addresses: Set<IPAddress> = []
        var nodePortAddresses = false
        var primaryAddresses = false
        var zone = false
        /// Whether `NodeContext.otherNodes` changed.
        var otherNodes = false
    }

    mutating func update(_ cluster: ClusterState, _ addresses: NodeAddresses) -> Change {
        let before = self
        (localAddresses, tentativeAddresses) = (addresses.all, addresses.tentative)
        updateNodes(cluster.nodes)
        otherNodes = cluster.otherNodes
        let slices = cluster.slices[NodeContext.apiServer] ?? ServiceSlices()
        if slices != apiServerSlices {
            apiServerSlices = slices
            apiServerAddresses = Set(slices.all.flatMap(\.endpoints).flatMap(\.addresses))
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

    /// The comparison is free while the nodes are unchanged, because both dictionaries then share their storage.
    private mutating func updateNodes(_ nodes: [String: Node]) {
        guard nodes != self.nodes else { return }
        self.nodes = nodes
        // After this node's Node object is deleted, its last values stay in use: the node itself still exists.
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

    /// Whether this node is in the source ranges of a load balancer, so that clients on the node itself have access.
    func isNode(in ranges: [CIDR]) -> Bool { primaryAddresses.contains { address in ranges.contains { $0.contains(address) } } }

    var healthCheckAddresses: [IPFamily: HealthCheckAddresses] {
        settings.families.reduce(into: [:]) { result, family in
            result[family] = settings.nodePortAddresses.healthCheckAddresses(family, local: localAddresses, primary: primaryAddresses)
        }
    }

    var topology: Topology { Topology(nodeName: settings.nodeName, zone: zone) }
}

extension Set {
    /// Comparing sets that share their storage is free.
    fileprivate func changes(since before: Set) -> Set { self == before ? [] : symmetricDifference(before) }
}
