internal import Reconciler

/// The state of observing and changing the rules of one family.
struct RulesQueue {
    /// A task that has been started.
    enum Work { case observation(isAudit: Bool), operation(Operation) }

    var running: Work?
    /// Whether the rules in the mirror are those in the kernel.
    var isKnown = false
    /// The next operation, which starts when the remaining operations of its plan have been applied or deferred.
    var planned: Operation?

    /// Whether rules are being changed or will be.
    var isChanging: Bool {
        if case .operation = running { return true }
        return planned != nil
    }
}
