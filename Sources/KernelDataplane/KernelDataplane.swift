public import Model
public import Reconciler

/// The kernel of this node: IPVS, the dummy device, sets and rules, behind one door.
///
/// Everything runs on an executor of its own, one thing after the other. No program is started but iptables-save and iptables-restore.
public actor KernelDataplane: Dataplane {
    private let executor = KernelExecutor()
    public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    let ipvs: IPVSClient
    let sets: IPSetClient
    let interfaces: InterfaceClient
    let conntrack: ConntrackClient
    let nftables: NFTablesClient
    let iptables: IPTables
    /// What is ours by name: the sets, chains and jumps of a cluster without Services.
    let catalogue: NodeState
    /// How rules we restored look when they are printed, where that differs from how we wrote them.
    var printed: [IPFamily: Printed] = [:]
    var drops = DropTally()

    struct Printed {
        var restored: Rules
        var saved: Rules

        /// Chains that somebody changed between our writing and our reading are not our rules in another spelling.
        var isLikely: Bool { saved.chains.mapValues(\.count) == restored.chains.mapValues(\.count) }
    }

    /// - Parameter catalogue: a state that holds every set, chain and jump of ours, whatever is in them.
    public init(catalogue: NodeState, iptables: IPTables) throws(DataplaneError) {
        self.catalogue = catalogue
        self.iptables = iptables
        ipvs = try IPVSClient()
        sets = try IPSetClient()
        interfaces = try InterfaceClient()
        conntrack = try ConntrackClient()
        nftables = try NFTablesClient()
    }
}
