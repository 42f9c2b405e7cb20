extension Plan {
    /// The order in which operations are carried out. Making comes before breaking: a virtual server never answers before its sets and rules
    /// stand, nor before it has the real servers it will have, and what goes is emptied before it is taken away. Rules that go are needed until then:
    /// what is restricted must not be open for a moment because it is about to go.
    public enum Phase: Int, Hashable, Sendable, CaseIterable {
        case createSets, addMembers, restoreRules, createDevice, serveVirtualServers, bind
        case drain, deleteRealServers, unbind, deleteVirtualServers, removeRules, removeMembers, removeLeftovers
        // Flows last: what could lead them the old way once more is gone.
        case flushConntrack
    }
}
