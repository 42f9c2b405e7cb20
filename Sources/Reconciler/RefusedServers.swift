public import Model

/// Real servers that are wanted and that the kernel will not have.
///
/// Whoever writes a slice can name one, so they must cost nothing and hold nothing up: they are left out of plans until it is time to try again.
public struct RefusedServers: Hashable, Sendable {
    public private(set) var locations: [VirtualServer.Identity: Set<AddressPort>] = [:]
    /// Virtual servers whose next plan asks once more.
    private var tryingAgain: Set<VirtualServer.Identity> = []

    /// The next plan that looks at these virtual servers asks for all they want.
    mutating func tryAgain(_ servers: some Sequence<VirtualServer.Identity>) {
        guard !locations.isEmpty else { return }
        tryingAgain.formUnion(servers.filter { locations[$0] != nil })
    }

    /// Whether a plan leaves an operation out.
    func withholds(_ operation: Operation) -> Bool {
        guard case .addRealServer(let identity, let server) = operation, !tryingAgain.contains(identity) else { return false }
        return locations[identity]?.contains(server.location) ?? false
    }

    /// Takes note of what became of a plan, and forgets what is not wanted any more.
    mutating func note(_ plan: Plan, _ report: Report, desired: NodeState) {
        let refused = report.failures.filter(\.isRefusal).map(\.operation)
        guard !locations.isEmpty || !refused.isEmpty else { return }
        for case .addRealServer(let identity, let server) in plan.operations { locations[identity]?.remove(server.location) }
        for case .addRealServer(let identity, let server) in refused { locations[identity, default: []].insert(server.location) }
        for (identity, servers) in locations {
            let wanted = servers.filter { desired.virtualServers[identity]?.realServers[$0] != nil }
            locations[identity] = wanted.isEmpty ? nil : wanted
        }
        tryingAgain = []
    }
}
