internal import HeapModule
public import Model
public import Reconciler

/// The failed operations, each with its reason, its number of attempts and the time of its next retry.
///
/// Retries use exponential backoff. Until its retry is due, a failed operation is left out of plans, unless its values have changed since
/// it failed.
public struct Retries: Sendable {
    public struct Entry: Hashable, Sendable {
        /// The operation as last attempted, without timestamps.
        public var operation: Operation
        /// The error of the last attempt.
        public var reason: String
        /// Whether the kernel refuses the operation. A refused operation is retried at the longest interval and does not block others.
        public var isRefusal: Bool
        /// The number of consecutive failures.
        public var attempts: Int
        /// When it first failed.
        public var since: Timestamp
        /// When it is retried.
        public var notBefore: Timestamp
        /// The Service port that it serves; nil if it is not known.
        public var origin: ServiceOrigin?
    }

    private struct Due: Comparable {
        var time: Timestamp
        var key: Operation.Key

        static func < (lhs: Due, rhs: Due) -> Bool { lhs.time < rhs.time }
    }

    public private(set) var entries: [Operation.Key: Entry] = [:]
    /// Keys whose retry is due, so that the next plan may contain them.
    private var released: Set<Operation.Key> = []
    /// The times of retries, earliest first. Entries may be obsolete: see `isCurrent`.
    private var queue = Heap<Due>()
    /// Increases with every change of the set of refused operations.
    public private(set) var refusalGeneration = 0

    private let first: Duration
    private let longest: Duration

    /// - Parameters:
    ///   - first: the backoff after the first failure. It doubles with each further failure.
    ///   - longest: the longest backoff, and the backoff after a refusal.
    public init(first: Duration, longest: Duration) {
        self.first = first
        self.longest = max(first, longest)
    }

    /// Records the failure of an operation and schedules its retry.
    ///
    /// - Returns: the number of consecutive failures.
    @discardableResult
    public mutating func record(_ failure: OperationFailure, origin: ServiceOrigin?, at now: Timestamp) -> Int {
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

    /// Removes the entry of an operation that succeeded or is no longer needed.
    ///
    /// - Returns: whether there was an entry.
    @discardableResult
    public mutating func remove(_ key: Operation.Key) -> Bool {
        // Usually nothing has failed: then no key is hashed.
        guard !entries.isEmpty, let entry = entries.removeValue(forKey: key) else { return false }
        released.remove(key)
        if entry.isRefusal { refusalGeneration += 1 }
        return true
    }

    /// Whether an operation must not be applied yet: it failed with the same values, and its retry is not due.
    public func isWaitingToRetry(_ operation: Operation) -> Bool {
        guard !entries.isEmpty else { return false }
        let key = operation.key
        guard let entry = entries[key], !released.contains(key) else { return false }
        // During slow start, the weight differs each time.
        if case .editRealServer(_, let server) = operation, server.slowStartSince != nil { return true }
        return entry.operation == operation.withoutTimes
    }

    /// The failed operations that may block others. Refused operations block none.
    public var failed: some Sequence<Operation> { entries.values.lazy.filter { !$0.isRefusal }.map(\.operation) }

    /// Returns the time of the next retry; nil if there is none.
    public mutating func nextDue() -> Timestamp? {
        while let next = queue.min, !isCurrent(next) { queue.removeMin() }
        return queue.min?.time
    }

    /// Releases the operations whose retry is due for the next plan and returns them. Each retry is returned once.
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

    /// Removes the entries of operations that a plan of `scope` and `flows` no longer contains.
    ///
    /// - Returns: the operations whose outcome has not been observed since their last attempt, as the kernel may have carried them out; nil if no
    ///   entry was removed.
    mutating func removeResolved(in scope: Scope, _ flows: Set<VirtualServer.Identity>, _ planned: [Operation]) -> [Operation]? {
        let covered = entries.keys.filter { scope.covers($0, flows) }
        guard !covered.isEmpty else { return nil }
        let wanted = Set(planned.lazy.map(\.key))
        let resolved = covered.filter { !wanted.contains($0) }
        guard !resolved.isEmpty else { return nil }
        var uncertain: [Operation] = []
        for key in resolved {
            // The first failure is observed at once, the others when their retry is due.
            if let entry = entries[key], entry.attempts > 1, !entry.isRefusal, !released.contains(key) { uncertain.append(entry.operation) }
            remove(key)
        }
        return uncertain
    }

    /// Returns the backoff after `attempts` consecutive failures.
    func backoff(_ attempts: Int) -> Duration {
        var wait = first
        for _ in 1..<max(attempts, 1) where wait < longest { wait *= 2 }
        return min(wait, longest)
    }
}

extension Scope {
    /// Whether a plan of this scope and `flows` contains the operation if it is still needed.
    fileprivate func covers(_ key: Operation.Key, _ flows: Set<VirtualServer.Identity>) -> Bool {
        if case .virtualServer(let identity) = key.subject, key.kind == .flushConntrack { return flows.contains(identity) }
        guard case .only(let selection) = self else { return true }
        return switch key.subject {
        case .set(let name): selection.members[name] != nil
        case .member(let name, let member): selection.members[name]?.contains(member) ?? false
        case .rules(let family), .oldRules(let family): selection.rules.contains(family)
        case .device: selection.device
        case .address(let address), .route(let address): selection.device || selection.addresses.contains(address)
        case .virtualServer(let identity), .realServer(let identity, _): selection.virtualServers.contains(identity)
        }
    }
}
