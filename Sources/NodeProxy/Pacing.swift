internal import Model
internal import Reconciler

/// What is due next: a sync for changes or a retry, an audit of the whole kernel, a look at servers that drain or start slowly.
struct Pacing {
    enum Task: Hashable { case sync, audit, continueAudit, tendServers }

    var schedule: SyncSchedule
    private var lastAudit: Timestamp?
    private var tending: Timestamp?
    private var isAuditing = false

    init(schedule: SyncSchedule) { self.schedule = schedule }

    /// Nil where nothing is due yet.
    func next(at now: Timestamp) -> Task? {
        if auditDue(at: now) <= now { return .audit }
        if let tending, tending <= now { return .tendServers }
        if schedule.due(at: now) <= now { return .sync }
        return isAuditing ? .continueAudit : nil
    }

    func due(at now: Timestamp) -> Timestamp {
        isAuditing ? now : min(auditDue(at: now), schedule.due(at: now), tending ?? .init(nanoseconds: .max))
    }

    private func auditDue(at now: Timestamp) -> Timestamp { lastAudit?.advanced(by: schedule.maxInterval) ?? now }

    /// Whatever the reason for a sync, it takes all pending changes along.
    mutating func begin() { schedule.begin() }

    mutating func end(_ task: Task, _ outcome: Synchronizer.Outcome, isAuditing: Bool, isTending: Bool, at now: Timestamp) {
        // Looking without finding anything to do is no reason to have changes wait.
        if !Pacing.isLook(task, outcome) { schedule.end(at: now, succeeded: outcome.succeeded) }
        // What fails is for the retries, with their backoff; the audit goes on with the next one.
        self.isAuditing = isAuditing && outcome.succeeded
        if task == .audit { lastAudit = now }
        tending = isTending ? now.advanced(by: Pacing.tendingInterval(after: outcome.duration)) : nil
    }

    /// Whether a sync looked for something to do and found nothing.
    static func isLook(_ task: Task, _ outcome: Synchronizer.Outcome) -> Bool {
        (task == .continueAudit || task == .tendServers) && outcome.operations.isEmpty && outcome.succeeded
    }

    /// A second, or longer where looking takes long: it may cost a twentieth of the time.
    private static func tendingInterval(after duration: Duration) -> Duration { max(.seconds(1), duration * 20) }
}
