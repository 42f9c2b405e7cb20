internal import Dispatch
public import Model
public import Reconciler

/// The kernel of this node: IPVS, the dummy device, sets and flows, over netlink.
///
/// Everything runs on an executor of its own, one thing after the other. No program is started: rules are `IPTablesFilter`'s.
public actor KernelDataplane: Dataplane {
    private let executor = KernelExecutor()
    public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    let ipvs: IPVSClient
    let sets: IPSetClient
    let interfaces: InterfaceClient
    let conntrack: ConntrackClient
    /// What is ours by name: the sets of a cluster without Services.
    let catalogue: NodeState

    /// - Parameter catalogue: a state that holds every set of ours, whatever is in it.
    public init(catalogue: NodeState) throws(DataplaneError) {
        self.catalogue = catalogue
        ipvs = try IPVSClient()
        sets = try IPSetClient()
        interfaces = try InterfaceClient()
        conntrack = try ConntrackClient()
    }
}

/// Runs an actor on a queue of its own.
///
/// Netlink blocks. A dump of a large table takes long enough to hold up everything else if it ran on the cooperative pool, which has as many threads as the node has cores.
public final class KernelExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "kernel")

    public init() {}

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = unsafe asUnownedSerialExecutor()
        queue.async { unsafe job.runSynchronously(on: executor) }
    }
}
