import Model
import NodeProxy
import Reconciler
import Synchronization
import TestSupport

/// An in-memory kernel behind the interfaces that the proxy uses.
actor MemoryKernel: Dataplane, PacketFilter {
    private var kernel = FakeKernel()
    /// The duration of a change of rules.
    private var rulesDuration = Duration.zero

    var state: NodeState { kernel.state }
    private var otherBackendsAreUnreadable = false
    func makeOtherBackendsUnreadable() { otherBackendsAreUnreadable = true }

    var isUntouched: Bool { kernel.isUntouched }
    func clearHistory() { kernel.clearHistory() }
    func setRulesDuration(_ duration: Duration) { rulesDuration = duration }
    func changeExternally(_ change: @Sendable (inout FakeKernel) -> Void) { change(&kernel) }

    func observe(_ scope: Scope) async throws -> NodeState { try kernel.observe(scope) }
    func schedulers(among schedulers: [Scheduler]) async throws -> Set<Scheduler> { Set(schedulers) }
    func compare(with expected: NodeState, in selection: Scope.Selection) async -> Comparison {
        Comparison(Result { try kernel.compare(with: expected, in: selection) })
    }
    func apply(_ operations: [Operation]) async -> Report { kernel.apply(operations) }
    func observe(_ family: IPFamily) async throws -> ObservedRules { try kernel.observeRules(family) }

    func observeOtherBackends(_ family: IPFamily) async throws -> [BackendRules] {
        if otherBackendsAreUnreadable { throw FakeKernel.Unreadable() }
        return try kernel.observeOtherBackends(family)
    }

    func apply(_ operation: Operation) async throws -> [Rules.Chain: UInt64] {
        try await Task.sleep(for: rulesDuration)
        if kernel.apply(operation) != nil { throw FakeKernel.Unreadable() }
        return [:]
    }

    /// The kernel interfaces of the proxy; this actor implements all three.
    nonisolated var interfaces: NodeProxy.Kernel { NodeProxy.Kernel(dataplane: self, reader: self, rules: self) }

    // MARK: Addresses of the node

    private var addresses = Set(["10.99.0.2"].compactMap { IPAddress($0) })
    private(set) var addressReads = 0
    private let listeners = Mutex<[AsyncThrowingStream<[KernelChange], any Error>.Continuation]>([])

    func nodeAddresses() async throws -> NodeAddresses {
        addressReads += 1
        return NodeAddresses(addresses)
    }

    nonisolated func changes() -> AsyncThrowingStream<[KernelChange], any Error> {
        AsyncThrowingStream { continuation in
            listeners.withLock { $0.append(continuation) }
            continuation.yield([.nodeAddresses])
        }
    }

    /// The number of subscriptions to changes so far.
    nonisolated var subscriptionCount: Int { listeners.withLock { $0.count } }

    func setAddresses(_ texts: String..., notifying: Bool = true) {
        addresses = Set(texts.compactMap { IPAddress($0) })
        if notifying { notifyAddressChange() }
    }

    nonisolated func notifyAddressChange() { announce([.nodeAddresses]) }

    nonisolated func announce(_ changes: [KernelChange]) { listeners.withLock { _ = $0.last?.yield(changes) } }

    nonisolated func failAddressNotifications() { listeners.withLock { $0.last?.finish(throwing: FakeKernel.Unreadable()) } }
}
