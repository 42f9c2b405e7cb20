internal import FoundationEssentials
public import Kubernetes
public import Logging
public import Model
public import Reconciler
public import ServiceLifecycle
public import SyncLoop

/// Drives a `SyncLoop`: passes it changes and the time, carries out its steps on the kernel and publishes the results.
///
/// All decisions are made by the loop. Steps run one at a time; tasks for rules and audits run concurrently with them.
public actor NodeProxy: ServiceLifecycle.Service {
    /// Three independent interfaces to the kernel, none of which blocks another.
    public struct Kernel: Sendable {
        /// Reads and changes everything but rules.
        public var dataplane: any Dataplane
        /// Reads for audits and `status check`, and changes nothing.
        public var reader: any Dataplane
        public var rules: any PacketFilter

        public init(dataplane: any Dataplane, reader: any Dataplane, rules: any PacketFilter) {
            self.dataplane = dataplane
            self.reader = reader
            self.rules = rules
        }
    }

    let kernel: Kernel
    private var loop: SyncLoop
    private var status: ProxyStatus
    private let feed: ChangeFeed
    private let checkNode: @Sendable (Node) throws(NodeProxyError) -> [String]
    private let observers: [any ProxyObserver]
    /// Whether observers know that this standby is ready.
    private var isReadyStandby = false
    private let events: any EventRecorder
    let logger: Logger

    private nonisolated let epoch = ContinuousClock.now
    private nonisolated let wakeups: AsyncStream<Void>
    private nonisolated let wake: AsyncStream<Void>.Continuation

    /// - Parameter checkNode: called once with the Node object before the first sync. Returns likely mistakes in the configuration, and
    ///   throws if the configuration cannot work on this node.
    public init(
        _ loop: SyncLoop, feed: ChangeFeed, kernel: Kernel,
        checkNode: @escaping @Sendable (Node) throws(NodeProxyError) -> [String] = { _ in [] },
        observers: [any ProxyObserver] = [], events: any EventRecorder = NoEvents(), logger: Logger
    ) {
        self.loop = loop
        status = ProxyStatus(families: loop.families)
        self.feed = feed
        self.kernel = kernel
        self.checkNode = checkNode
        self.observers = observers
        self.events = events
        self.logger = logger
        (wakeups, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// The current time on the monotonic clock of the loop.
    public nonisolated var now: Timestamp { Timestamp(nanoseconds: 0).advanced(by: epoch.duration(to: .now)) }

    /// A copy of the loop. While a caller keeps it, the next sync has to copy shared storage.
    public var snapshot: SyncLoop { loop }

    /// The virtual servers that the kernel should hold.
    public var desiredVirtualServers: [VirtualServer.Identity: VirtualServer] { loop.desired.virtualServers }

    // MARK: Running

    /// Runs until the service group shuts down. The kernel state stays in place.
    public func run() async throws {
        try await cancelWhenGracefulShutdown { try await self.runLoop() }
    }

    private func runLoop() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask {
                for await _ in self.feed.wakeups { self.wake.yield() }
                self.wake.finish()
            }
            group.addTask { await self.watchKernel() }
            let (tasks, start) = AsyncStream.makeStream(of: SyncLoop.Task.self)
            group.addTask {
                await withDiscardingTaskGroup { running in
                    for await task in tasks { running.addTask { await self.execute(task) } }
                    running.cancelAll()
                }
            }
            let alarm = Alarm(wake)
            group.addTask { await alarm.run() }
            var iterator = wakeups.makeAsyncIterator()
            while await iterator.next(isolation: self) != nil, !Task.isCancelled {
                if let due = try await work(starting: { start.yield($0) }) { alarm.set(for: now.duration(to: due)) }
            }
            start.finish()
            group.cancelAll()
        }
    }

    /// Carries out steps until the loop waits.
    ///
    /// - Returns: when work is due next; nil if only an input causes work.
    private func work(starting start: (SyncLoop.Task) -> Void) async throws(NodeProxyError) -> Timestamp? {
        while !Task.isCancelled {
            let now = now
            absorbChanges(at: now)
            let step = loop.next(at: now, wall: Date())
            log(loop.popNotices())
            switch step {
            case .wait(let time):
                reportStandby()
                return time
            case .start(let task): start(task)
            default: try await execute(step)
            }
        }
        return nil
    }

    // MARK: The standby

    /// Begins to change the kernel: the program that did has ended.
    public func takeOver() {
        loop.takeOver(at: now, wall: Date())
        for observer in observers {
            observer.tookOver()
            observer.queued()
        }
        wake.yield()
    }

    private func reportStandby() {
        guard loop.isStandby, loop.isReadyToTakeOver, !isReadyStandby else { return }
        isReadyStandby = true
        logger.info("Ready to take over", metadata: ["virtualServers": "\(loop.desired.virtualServers.count)"])
        for observer in observers { observer.becameReadyStandby() }
    }

    private func absorbChanges(at now: Timestamp) {
        let batch = feed.take()
        loop.sourceChanged(isListed: batch.synced, isIncomplete: batch.isIncomplete, at: now)
        guard !batch.changes.isEmpty else { return }
        loop.absorb(batch.changes, at: now)
        let (node, pending) = (loop.node, loop.pendingChanges)
        for observer in observers {
            observer.changed(batch.changes, node: node, pending: pending)
            if !loop.isStandby { observer.queued() }
        }
    }

    private func execute(_ step: SyncLoop.Step) async throws(NodeProxyError) {
        switch step {
        case .readAddresses:
            let addresses = await result { try await kernel.dataplane.nodeAddresses() }
            loop.readAddresses(addresses, at: now)
            if loop.hasPendingChanges, !loop.isStandby { observers.forEach { $0.queued() } }
        case .testSchedulers(let schedulers):
            let found = await result { try await kernel.dataplane.schedulers(among: schedulers) }
            loop.testedSchedulers(schedulers, found)
        case .observe(let scope):
            let state = await result { try await kernel.dataplane.observe(scope) }
            loop.observed(state, of: scope, at: now)
        case .apply(let operations):
            let report = await kernel.dataplane.apply(operations)
            loop.applied(operations, report, at: now)
        case .publish(let outcome, let after): publish(outcome, after)
        case .beginServing(let node, let missing): try beginServing(node, missing)
        case .fail(let missing): throw .noPodCIDRs(node: loop.nodeName, missing: missing)
        case .start, .wait: break
        }
    }

    private func execute(_ task: SyncLoop.Task) async {
        switch task {
        case .observeRules(let family):
            let rules = await result { try await kernel.rules.observe(family) }
            loop.rulesObserved(rules, family, at: now)
        case .observeOtherBackends(let family):
            let rules = await result { try await kernel.rules.observeOtherBackends(family) }
            loop.otherBackendsObserved(rules, family, at: now)
        case .applyRules(let operation):
            let dropped = await result { try await kernel.rules.apply(operation) }
            loop.rulesApplied(operation, dropped, at: now)
        case .audit(let slice, let expected):
            let comparison = await kernel.reader.compare(with: expected, in: slice.selection)
            loop.audited(slice, comparison, at: now)
            let status = loop.auditStatus
            observers.forEach { $0.audited(status) }
        }
        wake.yield()
    }

    private func result<Success>(_ body: () async throws -> Success) async -> Result<Success, any Error> {
        do { return .success(try await body()) } catch { return .failure(error) }
    }

    private func beginServing(_ node: Node?, _ missing: String?) throws(NodeProxyError) {
        if let missing {
            logger.error(
                "Node addresses not found; continuing without them",
                metadata: ["node": "\(loop.nodeName)", "missing": "\(missing)", "advice": "check --hostname-override"])
        }
        guard let node else { return }
        for problem in try checkNode(node) {
            logger.warning(
                "The configuration may be incomplete or incorrect", metadata: ["node": "\(loop.nodeName)", "problem": "\(problem)"])
        }
    }

    private func publish(_ outcome: SyncOutcome, _ after: ProxyStatus) {
        for observer in observers { observer.synced(outcome, after, desired: loop.desired) }
        log(
            Announcer.notices(
                outcome, from: status, to: after, origin: { loop.origin(of: $0) }, isVerbose: logger.logLevel <= .debug))
        status = after
        if loop.hasPendingChanges { observers.forEach { $0.queued() } }
    }

    private func log(_ notices: [Announcer.Notice]) {
        for notice in notices {
            logger.log(
                level: notice.severity.level, "\(notice.message)",
                metadata: notice.metadata.isEmpty ? nil : notice.metadata.mapValues { "\($0)" })
            if let event = notice.event { events.record(event) }
        }
    }

    // MARK: Commands that run once

    /// Passes a batch of changes to the loop, for commands that run once.
    ///
    /// - Returns: whether the source has delivered its first complete list.
    @discardableResult
    public func absorbOnce(_ batch: ChangeFeed.Batch) -> Bool {
        loop.sourceChanged(isListed: batch.synced, isIncomplete: batch.isIncomplete, at: now)
        loop.absorb(batch.changes, at: now)
        return batch.synced
    }

    /// Syncs until no work is left that can be done without waiting.
    ///
    /// - Returns: the merged outcome of all syncs.
    public func syncOnce() async throws(NodeProxyError) -> SyncOutcome {
        var merged = SyncOutcome()
        loop.serveWithoutNode()
        while true {
            let step = loop.next(at: now, wall: Date())
            log(loop.popNotices())
            switch step {
            case .wait: return merged
            case .start(let task): await execute(task)
            case .publish(let outcome, _):
                merged.merge(outcome)
                try await execute(step)
                if loop.isIdle, !loop.hasPendingChanges { return merged }
            default: try await execute(step)
            }
        }
    }

    /// Returns the plan of a first sync without applying it.
    public func plan() async throws -> Plan {
        let addresses = try await kernel.dataplane.nodeAddresses()
        let observed = try await observeAll(by: kernel.dataplane, loop.families)
        return loop.plan(from: observed, addresses, at: now)
    }

    /// Returns the complete kernel state, and logs the rules of other backends that cannot be read.
    nonisolated func observeAll(by dataplane: any Dataplane, _ families: Set<IPFamily>) async throws -> NodeState {
        try await dataplane.observeAll(with: kernel.rules, families) { family, error in
            logger.warning(
                "Failed to read rules in packet filters that are not in use; ignoring them",
                metadata: ["family": "\(family.rawValue)", "error": "\(error)"])
        }
    }

    /// Returns the Service port that an operation serves; nil if it is not known.
    public func origin(of operation: Operation) -> ServiceOrigin? { loop.origin(of: operation) }

    // MARK: Announcements of the kernel

    /// Passes the changes that the kernel announces to the loop, until the task is cancelled.
    ///
    /// A failed watch is restarted with backoff. Each start observes everything that is watched, so that no change is missed.
    private func watchKernel() async {
        var backoff = NodeProxy.firstBackoff
        while !Task.isCancelled {
            let start = ContinuousClock.now
            do {
                for try await changes in kernel.dataplane.changes() {
                    loop.announced(changes, at: now)
                    wake.yield()
                }
                // The stream ends without an error only when the task is cancelled.
                return
            } catch {
                // Meanwhile, audits find the changes.
                logger.error("Failed to watch the kernel for changes; retrying", metadata: ["error": "\(error)"])
            }
            if start.duration(to: .now) > NodeProxy.longestBackoff { backoff = NodeProxy.firstBackoff }
            // Cancellation means that the proxy stops.
            try? await Task.sleep(for: backoff)
            backoff = min(backoff * 2, NodeProxy.longestBackoff)
        }
    }

    private static let firstBackoff = Duration.seconds(1)
    private static let longestBackoff = Duration.seconds(30)
}

extension Announcer.Notice.Severity {
    fileprivate var level: Logger.Level {
        switch self {
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        }
    }
}

/// An error that stops the proxy.
public enum NodeProxyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// `--detect-local-mode=NodeCIDR` is set, and the Node has no pod CIDRs.
    case noPodCIDRs(node: String, missing: String)
    /// The configured IP families do not match those of the Node object.
    case familyMismatch(node: String, problem: String)

    public var description: String {
        switch self {
        case .noPodCIDRs(let node, let missing):
            "Node \(node): no \(missing) after \(NodeWait.podCIDRLimit.components.seconds) s, and --detect-local-mode=NodeCIDR requires "
                + "spec.podCIDRs: assign pod CIDRs to the Node (kube-controller-manager --allocate-node-cidrs) or choose another mode"
        case .familyMismatch(let node, let problem): "Node \(node): \(problem)"
        }
    }
}
