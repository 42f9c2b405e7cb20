extension Plan {
    /// The phases of a plan, in execution order.
    ///
    /// Additions come before removals. A service address is bound, and so receives traffic, only after its sets, its rules and its virtual
    /// servers with all their real servers exist. An address that is no longer desired is unbound before its virtual servers are deleted.
    /// Rules and set members are removed after both, so that a Service being removed is never reachable without its restrictions.
    ///
    /// `SyncLoop` applies the phases in this order, except those of rules, which run concurrently with the others, one operation at a time
    /// for each part of the rules (`RulesQueue.Part`). Operations that require the rules wait for them: see `UnmetDependencies`.
    public enum Phase: Int, Hashable, Sendable, CaseIterable {
        case createSets, addMembers, restoreRules, createDevice, serveVirtualServers, bind
        case drain, deleteRealServers, unbind, deleteVirtualServers, removeRules, removeMembers, removeLeftovers
        // Conntrack entries are flushed last, when nothing is left that could create a new entry with an old destination.
        case flushConntrack
    }
}
