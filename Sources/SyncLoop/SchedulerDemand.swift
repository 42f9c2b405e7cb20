internal import Kubernetes
internal import Model
internal import Translation

/// The IPVS schedulers that Services ask for and that have not been tested in this kernel.
///
/// A test makes the kernel load the module of the scheduler, so each is tested only before the first Service that asks for it is translated.
struct SchedulerDemand: Sendable {
    private var untested: Set<Scheduler>
    private var wanted: Set<Scheduler> = []

    init(untested: [Scheduler]) { self.untested = Set(untested) }

    /// Adds the schedulers that a change of the cluster asks for.
    mutating func add(_ change: ClusterChange, default scheduler: Scheduler) {
        guard !untested.isEmpty else { return }
        switch change {
        case .service(_, let service?): add(SchedulerRequest(service.metadata, default: scheduler))
        case .endpointSlice(_, let slice?): add(SchedulerRequest(slice.metadata, default: scheduler))
        default: break
        }
    }

    private mutating func add(_ request: SchedulerRequest) {
        switch request {
        case .some(let schedulers): wanted.formUnion(schedulers.intersection(untested))
        // The refusal names those that the kernel has.
        case .unknown: wanted = untested
        }
    }

    /// The schedulers to test now, in the order of the kernel's list; nil if there are none.
    var next: [Scheduler]? { wanted.isEmpty ? nil : Scheduler.ofLinux.filter(wanted.contains) }

    /// - Parameter found: those of the tested ones that the kernel has.
    mutating func record(_ tested: [Scheduler], found: Set<Scheduler>) {
        untested.subtract(tested)
        wanted.subtract(tested)
        if !found.isSuperset(of: tested) { wanted = untested }
    }
}
