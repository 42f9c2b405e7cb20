internal import Model
internal import Reconciler

/// External changes: differences between the mirror and an observation. Timestamps and connection counts are ignored.
enum Drift {
    /// Returns the kernel objects in `selection` that differ.
    ///
    /// - Parameters:
    ///   - mirror: the state as last programmed.
    ///   - observed: the kernel state in `selection`.
    static func subjects(from mirror: NodeState, to observed: NodeState, in selection: Scope.Selection) -> Set<Operation.Subject> {
        var subjects: Set<Operation.Subject> = []
        for identity in selection.virtualServers {
            let (expected, found) = (mirror.virtualServers[identity], observed.virtualServers[identity])
            if (expected == nil) != (found == nil) || expected.map({ !$0.hasSameConfiguration(as: found ?? $0) }) ?? false {
                subjects.insert(.virtualServer(identity))
            }
            realServers(expected, found, identity, &subjects)
        }
        for identity in selection.realServers.subtracting(selection.virtualServers) {
            realServers(mirror.virtualServers[identity], observed.virtualServers[identity], identity, &subjects)
        }
        if selection.device || !selection.addresses.isEmpty {
            if mirror.hasDevice != observed.hasDevice || (mirror.isDeviceUp && !observed.isDeviceUp) { subjects.insert(.device) }
            let expected = Set(mirror.addresses.keys)
            let candidates = selection.device || !observed.hasDevice ? expected.union(observed.addresses.keys) : selection.addresses
            for address in candidates where expected.contains(address) != (observed.addresses[address] != nil) {
                subjects.insert(.address(address))
            }
            let routes = mirror.routes.differences(from: observed.routes)
            for address in routes where selection.device || !observed.hasDevice || selection.addresses.contains(address) {
                subjects.insert(.route(address))
            }
        }
        for name in selection.members.keys {
            let (expected, found) = (mirror.sets[name], observed.sets[name])
            if let expected, found.map({ !$0.hasSameType(as: expected) }) ?? true { subjects.insert(.set(name)) }
            let expectedMembers = Set(expected?.members.keys.map(\.self) ?? [])
            let foundMembers = Set(found?.members.keys.map(\.self) ?? [])
            for member in expectedMembers.symmetricDifference(foundMembers) { subjects.insert(.member(name, member)) }
        }
        return subjects
    }

    private static func realServers(
        _ expected: VirtualServer?, _ found: VirtualServer?, _ identity: VirtualServer.Identity, _ subjects: inout Set<Operation.Subject>
    ) {
        (expected?.realServers ?? []).compare(with: found?.realServers ?? []) { expected, found in
            if let expected, let found, found.hasSameConfiguration(as: expected) { return }
            guard let server = expected ?? found else { return }
            subjects.insert(.realServer(identity, server.location))
        }
    }
}
