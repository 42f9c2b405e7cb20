import Model
import Reconciler

extension Reconciler {
    /// Takes a plan and records its operations as finished, except those that fail, which the caller plans again.
    @discardableResult
    mutating func carryOut(
        _ desired: NodeState, at now: Timestamp = .seconds(0), suspendsRemovals: Bool = false, failing: (Operation) -> Bool = { _ in false }
    ) -> Plan {
        let plan = nextPlan(for: desired, at: now, suspendsRemovals: suspendsRemovals).plan
        recordSuccess(plan.operations.filter { !failing($0) }, desired: desired)
        return plan
    }
}
