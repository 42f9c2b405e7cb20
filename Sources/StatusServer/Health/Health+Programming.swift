public import Model
public import NodeProxy
internal import Reconciler

extension Health {
    /// The families for which a sync did what was to be done for the node as a whole.
    ///
    /// A Service that cannot be programmed is told about on that Service: it must not take the node out of every load balancer, for then one user could. But
    /// what all Services share has to stand, and so do most Services.
    public static func programmed(by outcome: Synchronizer.Outcome, _ standing: Standing) -> Set<IPFamily> {
        guard outcome.observationFailure == nil, outcome.undoneServices.count * 2 <= standing.serviceCount else { return [] }
        var families = standing.families
        for failure in outcome.failures {
            switch failure.operation {
            case .createSet(let set), .replaceSet(let set): families.remove(set.family)
            case .restoreRules(let rules, _): families.remove(rules.family)
            case .createDevice: return []
            default: break
            }
        }
        return families
    }
}
