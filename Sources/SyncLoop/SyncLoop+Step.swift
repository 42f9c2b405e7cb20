public import Kubernetes
public import Model
public import Reconciler

/// The steps of the loop, and the tasks that run beside them.
extension SyncLoop {
    /// What the driver does next.
    public enum Step: Sendable {
        /// Read the node's addresses and pass them to `readAddresses`.
        case readAddresses
        /// Test which of these schedulers the kernel has and pass them to `testedSchedulers`.
        case testSchedulers([Scheduler])
        /// Read the kernel state in a scope and pass it to `observed`.
        case observe(Scope)
        /// Apply operations of one layer in order and pass the report to `applied`.
        case apply([Operation])
        /// Start a task that runs concurrently with the other steps.
        case start(Task)
        /// Publish the result of a sync to observers, the log and Events.
        case publish(SyncOutcome, ProxyStatus)
        /// The wait for the Node object is over and the first sync begins. `missing` is the field that was not found in time; nil if the
        /// Node is complete.
        case beginServing(Node?, missing: String?)
        /// Stop the proxy: the required field `missing` was not found in time.
        case fail(missing: String)
        /// Wait until this time or until an input changes; nil to wait only for an input.
        case wait(until: Timestamp?)
    }

    /// Work that runs concurrently with the other steps.
    public enum Task: Sendable {
        /// Observe the rules of a family and pass them to `rulesObserved`.
        case observeRules(IPFamily)
        /// Observe the rules of a family in other backends and pass them to `otherBackendsObserved`.
        case observeOtherBackends(IPFamily)
        /// Apply an operation of the rules layer and pass the result to `rulesApplied`.
        case applyRules(Operation)
        /// Compare the kernel with the expected state in a slice, and pass the findings to `audited`.
        case audit(Audit.Slice, expected: NodeState)
    }
}
