internal import Dispatch

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
