internal import Model
internal import Reconciler

/// What is due next: a sync for changes or a retry, an audit of the whole kernel, a look at draining servers.
struct Pacing {
    enum Task: Hashable { case sync, audit, inspectDraining }

    var schedule: SyncSchedule
    private var lastAudit: Timestamp?
    private var drainCheck: Timestamp?

    init(schedule: SyncSchedule) { self.schedule = schedule }

    /// Nil where nothing is due yet.
    func next(at now: Timestamp) -> Task? {
        if auditDue(at: now) <= now { return .audit }
        if let drainCheck, drainCheck <= now { return .inspectDraining }
        return schedule.due(at: now) <= now ? .sync : nil
    }

    func due(at now: Timestamp) -> Timestamp {
        min(auditDue(at: now), schedule.due(at: now), drainCheck ?? .init(nanoseconds: .max))
    }

    private func auditDue(at now: Timestamp) -> Timestamp { lastAudit?.advanced(by: schedule.maxInterval) ?? now }

    /// Whatever the reason for a sync, it takes all pending changes along.
    mutating func begin() { schedule.begin() }

    mutating func end(_ task: Task, _ outcome: Synchronizer.Outcome, isDraining: Bool, at now: Timestamp) {
        schedule.end(at: now, succeeded: outcome.succeeded)
        if task == .audit { lastAudit = now }
        drainCheck = isDraining ? now.advanced(by: Pacing.drainInterval(after: outcome.duration)) : nil
    }

    /// A second, or longer where looking takes long: it may cost a twentieth of the time.
    private static func drainInterval(after duration: Duration) -> Duration { max(.seconds(1), duration * 20) }
}
