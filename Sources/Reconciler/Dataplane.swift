public import Model

/// The kernel as the reconciler sees it, but for rules: it can be observed and changed.
///
/// Contract: `observe` tells the truth or throws, it never guesses; `apply` carries out operations in order, goes on after one that fails and reports it; deleting
/// what is already gone is a success; nothing else in the kernel changes.
public protocol Dataplane: Sendable {
    /// What the kernel holds of the given scope, without rules.
    func observe(_ scope: Scope) async throws -> NodeState

    /// Carries out operations in order; rules are none of them.
    func apply(_ operations: [Operation]) async -> Report

    /// Addresses of this node on interfaces other than `kube-ipvs0`.
    func nodeAddresses() async throws -> Set<IPAddress>

    /// Yields once it listens and after every change of `nodeAddresses`; changes may be coalesced.
    ///
    /// Ends in an error where listening fails, and otherwise only with the task that iterates it.
    func nodeAddressChanges() -> AsyncThrowingStream<Void, any Error>
}

/// The rules of this node, which protect service addresses.
///
/// Apart from `Dataplane`, because a change of rules starts programs and can take seconds. The caller has one call of a family at a time.
public protocol PacketFilter: Sendable {
    func observe(_ family: IPFamily) async throws -> ObservedRules

    /// Carries out an operation of the rules layer.
    ///
    /// - Returns: how many packets the chains have dropped so far, where that was seen.
    func apply(_ operation: Operation) async throws -> [Rules.Chain: UInt64]
}

/// What there is of rules of ours in one family.
public struct ObservedRules: Hashable, Sendable {
    public var rules: Rules
    /// Of other modes of kube-proxy; nil where there is nothing.
    public var leftovers: Leftovers?
    /// How many packets our chains have dropped since the program began: each number only grows.
    public var dropped: [Rules.Chain: UInt64]

    public init(_ rules: Rules, leftovers: Leftovers? = nil, dropped: [Rules.Chain: UInt64] = [:]) {
        self.rules = rules
        self.leftovers = leftovers
        self.dropped = dropped
    }
}

extension Dataplane {
    /// All of the kernel's state, rules included.
    public func observeAll(with rules: any PacketFilter, _ families: Set<IPFamily>) async throws -> NodeState {
        var state = try await observe(.everything)
        for family in families {
            let observed = try await rules.observe(family)
            state.rules[family] = observed.rules
            state.leftovers[family] = observed.leftovers
        }
        return state
    }
}
