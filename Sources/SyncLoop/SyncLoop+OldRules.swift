internal import Model
internal import Reconciler
internal import Translation

/// The removal of old rules: those of other proxy modes or in another backend.
extension SyncLoop {
    /// Whether the old rules of a family may still serve traffic, because the state that replaces them is not in place.
    ///
    /// All Services need the rules in use, the sets and the device: old rules stay as long as one of these fails. A failure that concerns a
    /// single Service delays their removal only until it has been retried once, or a Service that the kernel never accepts would keep them
    /// forever. They also stay if no Service of the family is served, whatever the reason.
    func needsOldRules(_ family: IPFamily) -> Bool {
        guard !familiesWithoutRules.contains(family), reconciler.scopeToObserve.isEmpty else { return true }
        let hasFailure = retries.entries.values.contains { entry in
            switch entry.operation {
            case .createDevice: true
            case .createSet(let set), .replaceSet(let set): set.family == family
            default: !entry.isRefusal && entry.attempts == 1 && entry.operation.layer != .rules
            }
        }
        return hasFailure || !isServing(family)
    }

    /// Whether the kernel has at least one virtual server and one address of the family, if any are desired.
    private func isServing(_ family: IPFamily) -> Bool {
        let (desired, found) = (translation.desired, reconciler.mirror)
        let servers = desired.virtualServers.keys.lazy.filter { $0.family == family }
        let addresses = desired.serviceAddresses(family)
        return (servers.isEmpty || servers.contains { found.virtualServers[$0] != nil })
            && (addresses.isEmpty || addresses.contains(where: found.accepts))
    }
}
