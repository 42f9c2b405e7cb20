internal import Model

/// Tells what others did to the kernel from what was to be done anyway.
///
/// Taken before a look at what nobody told of, it finds in the plan that follows the operations that only that look brought up.
public struct Drift: Sendable {
    private let expected: Set<Operation>
    private let draining: Set<VirtualServer.Identity>
    private let refused: [VirtualServer.Identity: Set<AddressPort>]

    /// - Parameters:
    ///   - plan: what would be done without the look.
    ///   - undone: what failed before: it is not there for that reason.
    public init(beyond plan: Plan, undone: Set<Operation>, _ reconciler: Reconciler) {
        expected = undone.union(plan.operations)
        draining = reconciler.draining
        refused = reconciler.refused.locations
    }

    /// What puts right what others changed.
    public func repairs(in plan: Plan) -> [Operation] {
        plan.operations.filter { !expected.contains($0) && !isOurs($0) }
    }

    /// Whether a look brings it up though nobody meddled.
    private func isOurs(_ operation: Operation) -> Bool {
        switch operation {
        // The last connections of a server that drains ended.
        case .deleteRealServer(let identity, _): draining.contains(identity)
        // An audit tries once more what the kernel refused.
        case .addRealServer(let identity, let server): refused[identity]?.contains(server.location) ?? false
        // It goes with something else, or failed before.
        case .forgetFlows: true
        default: false
        }
    }
}
