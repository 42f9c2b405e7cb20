internal import Dispatch
public import Model
internal import Netlink
public import Reconciler

/// The kernel of this node: IPVS, the dummy device, sets and conntrack entries, through netlink.
///
/// Everything runs serially on its own executor. It runs no programs: rules are for a `PacketFilter`.
public actor KernelDataplane: Dataplane {
    private let executor = KernelExecutor()
    public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    let ipvs: IPVSClient
    let options = IPVSSocketOptions()
    let sets: SetStore
    let interfaces: InterfaceClient
    let conntrack: ConntrackClient
    /// The sets that the proxy owns, by name: those of a cluster without Services.
    let catalogue: NodeState
    nonisolated let watch: KernelWatch

    /// - Parameters:
    ///   - catalogue: a state with all sets of the proxy; their members do not matter.
    ///   - packetFilter: what contains the sets; nil for both packet filters, without creating any.
    public init(catalogue: NodeState, packetFilter: PacketFilterKind?) throws(DataplaneError) {
        self.catalogue = catalogue
        ipvs = try IPVSClient()
        let sets = try SetStore(packetFilter)
        let interfaces = try InterfaceClient()
        conntrack = try ConntrackClient()
        watch = KernelWatch(catalogue, routePorts: [interfaces.socket.port], netfilterPorts: Set([sets.port].compactMap(\.self)))
        self.sets = sets
        self.interfaces = interfaces
    }
}

/// Runs an actor on a dispatch queue of its own.
///
/// Netlink blocks. On the cooperative pool, which has one thread per core, the dump of a large table would delay everything else.
public final class KernelExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "kernel")

    public init() {}

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = unsafe asUnownedSerialExecutor()
        queue.async { unsafe job.runSynchronously(on: executor) }
    }
}
