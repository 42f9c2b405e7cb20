public import Kubernetes
public import Logging
internal import Model
public import Reconciler
public import ServiceLifecycle

/// The proxy at work: waits for changes of the cluster and of the node's addresses, for the next audit and for servers that drain or start slowly, and syncs.
public struct NodeProxy: ServiceLifecycle.Service {
    /// Why the proxy cannot go on.
    public enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
        /// Pods are to be recognised by the node's pod ranges, and nobody gives it any.
        case noPodCIDRs(node: String, missing: String)
        /// The configuration is for another node than the Node object tells of.
        case misfit(node: String, problem: String)

        public var description: String {
            switch self {
            case .noPodCIDRs(let node, let missing):
                "Node \(node): no \(missing) after \(NodeWait.podCIDRLimit.components.seconds) s, and --detect-local-mode=NodeCIDR needs "
                    + "spec.podCIDRs: give the node pod ranges (kube-controller-manager --allocate-node-cidrs), or choose another mode"
            case .misfit(let node, let problem): "Node \(node): \(problem)"
            }
        }
    }

    private let feed: ChangeFeed
    let synchronizer: Synchronizer
    private let schedule: SyncSchedule
    private let nodeWait: NodeWait?
    private let checkNode: @Sendable (Node) throws(Failure) -> [String]
    private let observer: any ProxyObserver
    let logger: Logger

    /// - Parameters:
    ///   - nodeWait: nil where no Node object is to be expected.
    ///   - checkNode: asked once, before the first sync, about the Node object: what of the configuration was most likely meant otherwise, or fails where it
    ///     cannot work.
    public init(
        feed: ChangeFeed, synchronizer: Synchronizer, schedule: SyncSchedule, nodeWait: NodeWait?,
        checkNode: @escaping @Sendable (Node) throws(Failure) -> [String] = { _ in [] }, observer: any ProxyObserver = NoObserver(),
        logger: Logger
    ) {
        self.feed = feed
        self.synchronizer = synchronizer
        self.schedule = schedule
        self.nodeWait = nodeWait
        self.checkNode = checkNode
        self.observer = observer
        self.logger = logger
    }

    /// Runs until the service group shuts down; the kernel keeps what it has.
    public func run() async throws {
        try await cancelWhenGracefulShutdown { try await loop() }
    }

    private func loop() async throws {
        let (wakeups, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask {
                for await _ in feed.wakeups { wake.yield() }
                wake.finish()
            }
            group.addTask { await followAddresses(wake) }
            var pacing = Pacing(schedule: schedule)
            var nodeWait = nodeWait
            var alarm: Timestamp?
            for await _ in wakeups {
                // Somewhat early counts as well: an alarm that is taken for pending and is not would be the last.
                if let time = alarm, time <= synchronizer.now.advanced(by: .milliseconds(20)) { alarm = nil }
                // An alarm that is set earlier serves as well: it wakes the loop, which sets the next.
                guard let due = try await syncWhileDue(&pacing, &nodeWait), alarm.map({ due < $0 }) ?? true else { continue }
                alarm = due
                group.addTask {
                    // Cancelled means that the proxy ends; the loop notices by its stream.
                    try? await Task.sleep(for: synchronizer.now.duration(to: due))
                    wake.yield()
                }
            }
            group.cancelAll()
        }
    }

    /// When to look again; nil where there is nothing to wait for but the source.
    private func syncWhileDue(_ pacing: inout Pacing, _ nodeWait: inout NodeWait?) async throws(Failure) -> Timestamp? {
        while !Task.isCancelled {
            let batch = feed.take()
            await synchronizer.absorb(batch.changes)
            if !batch.changes.isEmpty { observer.changed(batch.changes, node: await synchronizer.node) }
            if await synchronizer.holdBack(batch.isInDoubt) { request(&pacing) }
            // Nothing is planned before the cluster is known: a half-known one would take Services away.
            guard batch.synced else { return nil }
            if let end = try await waitForNode(&nodeWait) { return end }
            if await synchronizer.readChangedAddresses() { request(&pacing) }
            if !batch.changes.isEmpty { request(&pacing) }
            guard let task = pacing.next(at: synchronizer.now) else { return pacing.due(at: synchronizer.now) }
            switch task {
            case .sync: break
            case .audit: await synchronizer.beginAudit()
            case .continueAudit: await synchronizer.continueAudit()
            case .tendServers: await synchronizer.tendServers()
            }
            pacing.begin()
            let outcome = await synchronizer.sync()
            observer.synced(outcome, await synchronizer.standing, isLook: Pacing.isLook(task, outcome))
            pacing.end(
                task, outcome, isAuditing: await synchronizer.isAuditing, isTending: await synchronizer.hasServersToTend,
                at: synchronizer.now)
        }
        return nil
    }

    private func request(_ pacing: inout Pacing) {
        pacing.schedule.request(at: synchronizer.now)
        observer.queued()
    }

    /// Until when to wait for the Node object, at the longest; nil once there is nothing to wait for.
    private func waitForNode(_ nodeWait: inout NodeWait?) async throws(Failure) -> Timestamp? {
        let isNew = nodeWait == self.nodeWait
        guard nodeWait != nil else { return nil }
        let node = await synchronizer.node
        let verdict = nodeWait?.judge(node, at: synchronizer.now) ?? .ready
        switch verdict {
        case .ready: break
        case .wait(let end):
            if isNew { logger.info("Waiting for this node's Node object", metadata: ["node": "\(synchronizer.nodeName)"]) }
            return end
        case .goOnWithout(let missing):
            logger.error(
                "Going on without this node's addresses: is its name right (--hostname-override)?",
                metadata: ["node": "\(synchronizer.nodeName)", "missing": "\(missing)"])
        case .hopeless(let missing): throw .noPodCIDRs(node: synchronizer.nodeName, missing: missing)
        }
        nodeWait = nil
        guard let node else { return nil }
        for problem in try checkNode(node) {
            logger.warning(
                "The configuration may be incomplete or incorrect",
                metadata: ["node": "\(synchronizer.nodeName)", "problem": "\(problem)"])
        }
        return nil
    }
}
