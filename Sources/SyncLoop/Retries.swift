internal import HeapModule
public import Model
public import Reconciler

/// The one memory of what failed: how often, why, and when it is tried again.
///
/// An operation that fails is left out of plans until its time has come, unless what is asked for has changed.
public struct Retries: Sendable {
    public struct Entry: Hashable, Sendable {
        /// What was asked for last.
        public var operation: Operation
        /// The kernel's word.
        public var reason: String
        /// The kernel does not accept it. It is tried again at the longest interval, and holds nothing up.
        public var isRefusal: Bool
        public var attempts: Int
        /// When it failed first.
        public var since: Timestamp
        public var notBefore: Timestamp
        /// The Service port it is about, where that is known.
        public var origin: ServiceOrigin?
    }

    private struct Due: Comparable {
        var time: Timestamp
        var key: Operation.Key

        static func < (lhs: Due, rhs: Due) -> Bool { lhs.time < rhs.time }
    }

    public private(set) var entries: [Operation.Key: Entry] = [:]
    /// Keys whose time has come: the next plan may have them.
    private var released: Set<Operation.Key> = []
    /// Those that wait, soonest first; some may be out of date.
    private var queue = Heap<Due>()
    /// Grows with each change of what the kernel refuses.
    public private(set) var refusalGeneration = 0

    private let first: Duration
    private let longest: Duration

    /// - Parameters:
    ///   - first: the wait after the first failure; it doubles with each further one.
    ///   - longest: the longest wait, and the wait after a refusal.
    public init(first: Duration, longest: Duration) {
        self.first = first
        self.longest = max(first, longest)
    }

    /// An operation failed.
    ///
    /// - Returns: how often it has failed in a row.
    @discardableResult
    public mutating func note(_ failure: OperationFailure, origin: ServiceOrigin?, at now: Timestamp) -> Int {
        let key = failure.operation.key
        let before = entries[key]
        let attempts = (before?.attempts ?? 0) + 1
        let wait = failure.isRefusal ? longest : backoff(attempts)
        if failure.isRefusal != (before?.isRefusal ?? false) { refusalGeneration += 1 }
        entries[key] = Entry(
            operation: failure.operation.withoutTimes, reason: failure.reason, isRefusal: failure.isRefusal, attempts: attempts,
            since: before?.since ?? now, notBefore: now.advanced(by: wait), origin: origin ?? before?.origin)
        released.remove(key)
        queue.insert(Due(time: now.advanced(by: wait), key: key))
        return attempts
    }

    /// An operation succeeded.
    ///
    /// - Returns: whether it had failed before.
    @discardableResult
    public mutating func remove(_ key: Operation.Key) -> Bool {
        guard let entry = entries.removeValue(forKey: key) else { return false }
        released.remove(key)
        if entry.isRefusal { refusalGeneration += 1 }
        return true
    }

    /// Whether an operation has to wait: it failed as it is, and its time has not come.
    public func isWaitingToRetry(_ operation: Operation) -> Bool {
        let key = operation.key
        guard let entry = entries[key], !released.contains(key) else { return false }
        // A weight that rises is another one each time.
        if case .editRealServer(_, let server) = operation, server.warmingSince != nil { return true }
        return entry.operation == operation.withoutTimes
    }

    /// What others must not go past. Refusals are in nobody's way.
    public var failed: some Sequence<Operation> { entries.values.lazy.filter { !$0.isRefusal }.map(\.operation) }

    /// When the next one may be tried.
    public mutating func nextDue() -> Timestamp? {
        while let next = queue.min, !isCurrent(next) { queue.removeMin() }
        return queue.min?.time
    }

    /// Those whose time has come; each is given once.
    public mutating func release(at now: Timestamp) -> [Entry] {
        var due: [Entry] = []
        while let next = queue.min, next.time <= now {
            queue.removeMin()
            guard isCurrent(next), let entry = entries[next.key] else { continue }
            released.insert(next.key)
            due.append(entry)
        }
        return due
    }

    private func isCurrent(_ due: Due) -> Bool { entries[due.key]?.notBefore == due.time && !released.contains(due.key) }

    /// Forgets what a plan of `scope` did not ask for any more.
    ///
    /// - Returns: whether there was any.
    mutating func removeResolved(in scope: Scope, _ flows: Set<VirtualServer.Identity>, _ planned: [Operation]) -> Bool {
        let covered = entries.keys.filter { scope.covers($0, flows) }
        guard !covered.isEmpty else { return false }
        let wanted = Set(planned.lazy.map(\.key))
        let resolved = covered.filter { !wanted.contains($0) }
        for key in resolved { remove(key) }
        return !resolved.isEmpty
    }

    func backoff(_ attempts: Int) -> Duration {
        var wait = first
        for _ in 1..<max(attempts, 1) where wait < longest { wait *= 2 }
        return min(wait, longest)
    }
}

extension Scope {
    /// Whether a plan of it has the operation if it is still to be done.
    fileprivate func covers(_ key: Operation.Key, _ flows: Set<VirtualServer.Identity>) -> Bool {
        if case .virtualServer(let identity) = key.subject, key.kind == .flushConntrack { return flows.contains(identity) }
        guard case .only(let selection) = self else { return true }
        return switch key.subject {
        case .set(let name): selection.members[name] != nil
        case .member(let name, let member): selection.members[name]?.contains(member) ?? false
        case .rules(let family): selection.rules.contains(family)
        case .device: selection.device
        case .address(let address): selection.device || selection.addresses.contains(address)
        case .virtualServer(let identity), .realServer(let identity, _): selection.virtualServers.contains(identity)
        }
    }
}
