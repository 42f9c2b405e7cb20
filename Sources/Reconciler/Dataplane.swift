public import Model

/// The kernel, seen from the reconciler: it can be looked at and changed.
///
/// Contract: `observe` tells the truth or throws, it never guesses; `apply` carries out operations in order, goes on after one that fails and reports it; deleting what is
/// already gone is a success; nothing else in the kernel changes.
public protocol Dataplane: Sendable {
    /// What the kernel holds of the given scope.
    func observe(_ scope: Scope) async throws -> NodeState

    /// Carries out operations in order.
    func apply(_ operations: [Operation]) async -> Report

    /// How many packets chains of ours have dropped, as far as was seen when rules were observed: each number only grows.
    func droppedPackets() async -> [IPFamily: [Rules.Chain: UInt64]]

    /// Addresses of this node on interfaces other than `kube-ipvs0`.
    func nodeAddresses() async throws -> Set<IPAddress>

    /// Tells that `nodeAddresses` may give others than before: an element once it listens, and one after each change; several may become one.
    ///
    /// Ends in an error where listening fails, and otherwise only with the task that iterates it.
    func nodeAddressChanges() -> AsyncThrowingStream<Void, any Error>
}
