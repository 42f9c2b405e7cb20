internal import SystemCalls

/// When files that changed are read: soon after the last of a burst of events, never while someone writes to them.
struct ManifestSchedule {
    /// How long nothing must happen before a change is read.
    static let quiet = Duration.milliseconds(10)
    /// How long a burst of events can put reading off.
    static let patience = Duration.milliseconds(50)
    /// After how long without a write a file counts as written, although its writer has not closed it.
    static let unclosed = Duration.seconds(1)

    private var changed: Set<String> = []
    private var everything = false
    private var first: ContinuousClock.Instant?
    private var last: ContinuousClock.Instant?
    /// Files that someone has begun to write to, and when they last did.
    private var writing: [String: ContinuousClock.Instant] = [:]

    /// Files that are not to be read yet.
    var unsettled: Set<String> { Set(writing.keys) }

    /// Takes events over in the order in which they happened.
    mutating func take(_ events: [DirectoryEvent], at now: ContinuousClock.Instant) {
        for event in events {
            switch event {
            case .writing(let name):
                writing[name] = now
                changed.remove(name)
                continue
            case .touched(let name):
                if writing[name] != nil { continue }
                changed.insert(name)
            case .changed(let name):
                writing[name] = nil
                changed.insert(name)
            case .everything: everything = true
            }
            first = first ?? now
            last = now
        }
    }

    /// When there is something to do next; nil if never.
    var deadline: ContinuousClock.Instant? {
        var deadlines = writing.values.map { $0 + ManifestSchedule.unclosed }
        if let first, let last { deadlines.append(min(first + ManifestSchedule.patience, last + ManifestSchedule.quiet)) }
        return deadlines.min()
    }

    /// What is to be read now: some files, or all that are new.
    ///
    /// An empty file that nobody has closed is waited for: whoever emptied it is about to fill it.
    mutating func due(at now: ContinuousClock.Instant, isEmpty: (String) -> Bool) -> (files: Set<String>, everything: Bool) {
        var files: Set<String> = []
        for (name, time) in writing where time + ManifestSchedule.unclosed <= now {
            if isEmpty(name) {
                writing[name] = now
            } else {
                writing[name] = nil
                files.insert(name)
            }
        }
        guard let first, let last, min(first + ManifestSchedule.patience, last + ManifestSchedule.quiet) <= now else {
            return (files, false)
        }
        defer {
            changed = []
            everything = false
            self.first = nil
            self.last = nil
        }
        return (files.union(changed), everything)
    }
}
