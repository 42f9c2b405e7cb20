public import Model
internal import Reconciler
public import SyncLoop

extension Health {
    /// The families for which everything is done that is to be done for the node as a whole.
    ///
    /// A Service that cannot be programmed is reported on that Service: it must not take the node out of every load balancer, for then one user could. But
    /// what all Services share has to stand, and so do most Services.
    public static func programmed(_ status: ProxyStatus) -> Set<IPFamily> {
        guard status.unreadable.isEmpty, status.pendingServices.count * 2 <= status.serviceCount else { return [] }
        var families = status.families.subtracting(status.familiesWithoutRules)
        for entry in status.failures {
            switch entry.operation {
            case .createSet(let set), .replaceSet(let set): families.remove(set.family)
            case .restoreRules(let rules, _): families.remove(rules.family)
            case .createDevice: return []
            default: break
            }
        }
        return families
    }
}
