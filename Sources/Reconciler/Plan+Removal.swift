public import Model

extension Plan {
    /// The operations that take everything away again: what is reachable first, then what it stands on.
    ///
    /// - Parameter observed: what the kernel holds of ours, and nothing else.
    public init(removing observed: NodeState) {
        var operations: [Operation] = observed.virtualServers.keys.sorted().map { .deleteVirtualServer($0) }
        if observed.hasDevice { operations.append(.deleteDevice) }
        operations += IPFamily.allCases.compactMap { observed.rules[$0] }.filter { !$0.chains.isEmpty || !$0.jumps.isEmpty }.map {
            .removeRules($0)
        }
        operations += IPFamily.allCases.compactMap { observed.leftovers[$0] }.flatMap(Plan.removing)
        operations += observed.sets.keys.sorted().map { .destroySet($0) }
        operations += observed.virtualServers.keys.filter { $0.transport == .udp }.sorted().map { .flushConntrack($0, except: []) }
        self.init(operations: operations)
    }

    static func removing(_ left: Leftovers) -> [Operation] {
        (left.hasRules ? [.removeLeftoverRules(left)] : []) + (left.hasTable ? [.deleteLeftoverTable(left.family)] : [])
    }
}
