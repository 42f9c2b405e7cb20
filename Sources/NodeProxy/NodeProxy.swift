public import Kubernetes
internal import Logging
internal import Model
public import Reconciler
public import ServiceLifecycle

/// The proxy at work: waits for changes of the cluster, for the next audit and for draining servers, and syncs.
public struct NodeProxy: ServiceLifecycle.Service {
    private let feed: ChangeFeed
    private let synchronizer: Synchronizer
    private let schedule: SyncSchedule

    public init(feed: ChangeFeed, synchronizer: Synchronizer, schedule: SyncSchedule) {
        self.feed = feed
        self.synchronizer = synchronizer
        self.schedule = schedule
    }

    /// Runs until the service group shuts down; the kernel keeps what it has.
    public func run() async throws {
        await cancelWhenGracefulShutdown { await loop() }
    }

    private func loop() async {
        let (wakeups, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        await withDiscardingTaskGroup { group in
            group.addTask {
                for await _ in feed.wakeups { wake.yield() }
                wake.finish()
            }
            var pacing = Pacing(schedule: schedule)
            var alarm: Timestamp?
            for await _ in wakeups {
                // Somewhat early counts as well: an alarm that is taken for pending and is not would be the last.
                if let time = alarm, time <= synchronizer.now.advanced(by: .milliseconds(20)) { alarm = nil }
                guard await syncWhileDue(&pacing) else { continue }
                // An alarm that is set earlier serves as well: it wakes the loop, which sets the next.
                let due = pacing.due(at: synchronizer.now)
                guard alarm.map({ due < $0 }) ?? true else { continue }
                alarm = due
                group.addTask {
                    // Cancelled means that the proxy ends; the loop notices by its stream.
                    try? await Task.sleep(for: synchronizer.now.duration(to: due))
                    wake.yield()
                }
            }
        }
    }

    /// False where the cluster is not known yet: there is nothing to wait for but the source.
    private func syncWhileDue(_ pacing: inout Pacing) async -> Bool {
        while !Task.isCancelled {
            let batch = feed.take()
            await synchronizer.absorb(batch.changes)
            if await synchronizer.holdBack(batch.isInDoubt) { pacing.schedule.request(at: synchronizer.now) }
            // Nothing is planned before the cluster is known: a half-known one would take Services away.
            guard batch.synced else { return false }
            if !batch.changes.isEmpty { pacing.schedule.request(at: synchronizer.now) }
            guard let task = pacing.next(at: synchronizer.now) else { return true }
            switch task {
            case .sync: break
            case .audit: await synchronizer.beginAudit()
            case .continueAudit: await synchronizer.continueAudit()
            case .inspectDraining: await synchronizer.inspectDraining()
            }
            pacing.begin()
            let outcome = await synchronizer.sync()
            pacing.end(
                task, outcome, isAuditing: await synchronizer.isAuditing, isDraining: await synchronizer.drainingServerCount > 0,
                at: synchronizer.now)
        }
        return false
    }
}
