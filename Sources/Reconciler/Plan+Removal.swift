public import Model

extension Plan {
    /// Creates the plan that removes all state of this program: virtual servers and addresses first, then the rules that protect them and
    /// the sets that these refer to, and last the conntrack entries of UDP flows.
    ///
    /// - Parameter observed: the kernel state of this program, without objects of others. No backend is in use: its rules are
    ///   in `rulesInOtherBackends`. The sets of nf_tables are removed with their table.
    public init(removing observed: NodeState) {
        var operations: [Operation] = observed.virtualServers.keys.sorted().map { .deleteVirtualServer($0) }
        if observed.hasDevice { operations.append(.deleteDevice) }
        operations += IPFamily.allCases.compactMap { observed.leftovers[$0] }.flatMap(Plan.removing)
        operations += observed.rulesInOtherBackends.map { .removeRules($0) }
        operations += observed.sets.keys.filter { $0.store == .ipset }.sorted().map { .destroySet($0) }
        operations += observed.virtualServers.keys.filter { $0.transport == .udp }.sorted().map { .flushConntrack($0, except: []) }
        self.init(operations: operations)
    }

    /// Returns the operations that remove the rules left by other modes of kube-proxy in one family.
    static func removing(_ left: Leftovers) -> [Operation] {
        (left.hasRules ? [.removeLeftoverRules(left)] : []) + (left.hasTable ? [.deleteLeftoverTable(left.family)] : [])
    }
}
