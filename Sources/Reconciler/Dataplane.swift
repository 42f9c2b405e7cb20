public import Model

/// The kernel state that the reconciler reads and changes, except packet filter rules: IPVS, IP sets, `kube-ipvs0` and conntrack entries.
///
/// Contract: `observe` returns the complete state in its scope or throws. `apply` carries out operations in order, continues after a
/// failure and reports it. Deleting an object that does not exist succeeds. Nothing else in the kernel changes.
public protocol Dataplane: Sendable {
    /// Returns the kernel's state in `scope`, without rules.
    func observe(_ scope: Scope) async throws -> NodeState

    /// Returns those of the schedulers that the kernel has, which loads their modules.
    func schedulers(among schedulers: [Scheduler]) async throws -> Set<Scheduler>

    /// Compares the kernel's state in the selection of an audit, which contains no rules, with the expected state.
    func compare(with expected: NodeState, in selection: Scope.Selection) async -> Comparison

    /// Carries out operations in order. None of them is of the rules layer.
    func apply(_ operations: [Operation]) async -> Report

    /// Returns the addresses of this node on interfaces other than `kube-ipvs0`.
    func nodeAddresses() async throws -> NodeAddresses

    /// Returns a stream of the changes that the kernel announces, in order, those of `nodeAddresses` included. Once it is established, it
    /// yields everything that it watches, as changes before that are not announced. Changes by this dataplane are left out where possible.
    ///
    /// The stream throws if the watch fails. Otherwise it ends only when the iterating task is cancelled.
    func changes() -> AsyncThrowingStream<[KernelChange], any Error>
}

/// The packet filter rules of this node, which protect service addresses.
///
/// Separate from `Dataplane` because changing rules starts external programs and can take seconds. The caller makes one call at a time for
/// each family, and another one for its rules in other backends.
public protocol PacketFilter: Sendable {
    /// Returns the rules of this program in one family, and the leftover rules of other proxy modes.
    func observe(_ family: IPFamily) async throws -> ObservedRules

    /// Returns the rules of node proxies in the backends that this program does not use, in one family.
    ///
    /// Neither this nor an operation on these rules waits for calls that concern the rules in use.
    func observeOtherBackends(_ family: IPFamily) async throws -> [BackendRules]

    /// Carries out an operation of the rules layer.
    ///
    /// - Returns: the number of packets that each chain has dropped so far; empty if the operation did not read it.
    func apply(_ operation: Operation) async throws -> [Rules.Chain: UInt64]
}

/// The observed rules of this program in one family.
public struct ObservedRules: Hashable, Sendable {
    public var rules: Rules
    /// The rules left by other modes of kube-proxy; nil if there are none.
    public var leftovers: Leftovers?
    /// The number of packets that each of our chains has dropped since the program started. The numbers never decrease.
    public var dropped: [Rules.Chain: UInt64]
    /// The CPU time of the programs that read them.
    public var cost: Duration

    public init(_ rules: Rules, leftovers: Leftovers? = nil, dropped: [Rules.Chain: UInt64] = [:], cost: Duration = .zero) {
        self.rules = rules
        self.leftovers = leftovers
        self.dropped = dropped
        self.cost = cost
    }
}

extension Dataplane {
    /// Returns the complete kernel state, including the rules of `families`.
    ///
    /// - Parameter unreadable: called with the error if the rules of a family in other backends cannot be read. The state lacks them.
    public func observeAll(
        with rules: any PacketFilter, _ families: Set<IPFamily>, unreadable: (IPFamily, any Error) -> Void
    ) async throws -> NodeState {
        var state = try await observe(.everything)
        for family in IPFamily.allCases where families.contains(family) {
            let observed = try await rules.observe(family)
            state.rules[family] = observed.rules
            state.leftovers[family] = observed.leftovers
            do { state.rulesInOtherBackends += try await rules.observeOtherBackends(family) } catch { unreadable(family, error) }
        }
        return state
    }
}
