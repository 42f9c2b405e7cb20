internal import FoundationEssentials
public import Kubernetes
public import Logging
public import Model
public import Reconciler
public import ServiceLifecycle
public import SyncLoop

/// Carries out the steps of a `SyncLoop`: reads and changes the kernel, and reports what came of it.
///
/// It decides nothing. Steps run one after the other; rules and audits run beside them.
public actor NodeProxy: ServiceLifecycle.Service {
    /// The kernel, through three doors that do not wait for one another.
    public struct Kernel: Sendable {
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
    private let events: any EventRecorder
    let logger: Logger

    private nonisolated let epoch = ContinuousClock.now
    private nonisolated let wakeups: AsyncStream<Void>
    private nonisolated let wake: AsyncStream<Void>.Continuation

    /// - Parameter checkNode: asked once, before the first sync, about the Node object: what of the configuration was most likely meant otherwise, or fails
    ///   where it cannot work.
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

    /// Now, on the clock of the loop.
    public nonisolated var now: Timestamp { Timestamp(nanoseconds: 0).advanced(by: epoch.duration(to: .now)) }

    /// The loop as it is at this moment. Whoever keeps it makes the next sync copy what it holds.
    public var snapshot: SyncLoop { loop }

    /// What the kernel is to hold of Services.
    public var desiredVirtualServers: [VirtualServer.Identity: VirtualServer] { loop.desired.virtualServers }

    // MARK: Running

    /// Runs until the service group shuts down; the kernel keeps what it has.
    public func run() async throws {
        try await cancelWhenGracefulShutdown { try await self.follow() }
    }

    private func follow() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask {
                for await _ in self.feed.wakeups { self.wake.yield() }
                self.wake.finish()
            }
            group.addTask { await self.followAddresses() }
            let (tasks, start) = AsyncStream.makeStream(of: SyncLoop.Task.self)
            group.addTask {
                await withDiscardingTaskGroup { beside in
                    for await task in tasks { beside.addTask { await self.execute(task) } }
                    beside.cancelAll()
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

    /// Carries steps out until there is nothing to do, and returns until when.
    private func work(starting start: (SyncLoop.Task) -> Void) async throws(NodeProxyError) -> Timestamp? {
        while !Task.isCancelled {
            takeChanges()
            let step = loop.next(at: now, wall: Date())
            log(loop.takeNotices())
            switch step {
            case .wait(let time): return time
            case .start(let task): start(task)
            default: try await execute(step)
            }
        }
        return nil
    }

    private func takeChanges() {
        let batch = feed.take()
        loop.sourceChanged(isListed: batch.synced, isIncomplete: batch.isIncomplete, at: now)
        guard !batch.changes.isEmpty else { return }
        loop.absorb(batch.changes, at: now)
        let (node, pending) = (loop.node, loop.pendingChanges)
        for observer in observers {
            observer.changed(batch.changes, node: node, pending: pending)
            observer.queued()
        }
    }

    private func execute(_ step: SyncLoop.Step) async throws(NodeProxyError) {
        switch step {
        case .readAddresses:
            let addresses = await result { try await kernel.dataplane.nodeAddresses() }
            loop.readAddresses(addresses, at: now)
            if loop.hasPendingChanges { observers.forEach { $0.queued() } }
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
        case .applyRules(let operation, let family):
            let dropped = await result { try await kernel.rules.apply(operation) }
            loop.rulesApplied(dropped, at: now, family)
        case .audit(let slice, let baseline):
            let reader = kernel.reader
            let findings = await result { try await Audit.findings(of: slice, against: baseline, by: reader) }
            loop.audited(slice, findings, at: now)
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

    // MARK: Once

    /// Takes changes over, for commands that look only once.
    ///
    /// - Returns: whether the source has listed everything.
    @discardableResult
    public func absorbOnce(_ batch: ChangeFeed.Batch) -> Bool {
        loop.sourceChanged(isListed: batch.synced, isIncomplete: batch.isIncomplete, at: now)
        loop.absorb(batch.changes, at: now)
        return batch.synced
    }

    /// Syncs until nothing is left that can be done without waiting for a retry.
    public func syncOnce() async throws(NodeProxyError) -> SyncOutcome {
        var whole = SyncOutcome()
        loop.serveWithoutNode()
        while true {
            let step = loop.next(at: now, wall: Date())
            log(loop.takeNotices())
            switch step {
            case .wait: return whole
            case .start(let task): await execute(task)
            case .publish(let outcome, _):
                whole.merge(outcome)
                try await execute(step)
                if loop.isIdle, !loop.hasPendingChanges { return whole }
            default: try await execute(step)
            }
        }
    }

    /// What a first sync would do now; nothing is changed.
    public func plan() async throws -> Plan {
        let addresses = try await kernel.dataplane.nodeAddresses()
        return loop.plan(from: try await kernel.dataplane.observeAll(with: kernel.rules, loop.families), localAddresses: addresses, at: now)
    }

    /// The Service port that an operation is about.
    public func origin(of operation: Operation) -> ServiceOrigin? { loop.origin(of: operation) }

    // MARK: Addresses of the node

    /// Wakes the loop when addresses of the node come and go, until the task is cancelled.
    ///
    /// Where listening fails it begins again; the addresses are read then, whatever was missed.
    private func followAddresses() async {
        var pause = NodeProxy.firstPause
        while !Task.isCancelled {
            let start = ContinuousClock.now
            do {
                for try await _ in kernel.dataplane.nodeAddressChanges() {
                    loop.addressesChanged()
                    wake.yield()
                }
                // Only the end of the task ends it without an error.
                return
            } catch {
                // Audits look at the addresses meanwhile.
                logger.error("Failed to watch node addresses; retrying", metadata: ["error": "\(error)"])
            }
            if start.duration(to: .now) > NodeProxy.longestPause { pause = NodeProxy.firstPause }
            // Cancelled means that the proxy ends.
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, NodeProxy.longestPause)
        }
    }

    private static let firstPause = Duration.seconds(1)
    private static let longestPause = Duration.seconds(30)
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

extension Audit {
    /// Reads a slice and compares it, away from the loop.
    @concurrent fileprivate static func findings(
        of slice: Slice, against baseline: AuditBaseline, by reader: any Dataplane
    ) async throws -> Findings {
        baseline.findings(slice, try await reader.observe(slice.scope))
    }
}

/// Why the proxy cannot go on.
public enum NodeProxyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Pods are to be recognised by the node's pod ranges, and it has none.
    case noPodCIDRs(node: String, missing: String)
    /// The configuration is for another node than the Node object describes.
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
