internal import SystemCalls

/// Decides when changed files are read: shortly after the last of a burst of events, and never while they are being written.
struct ManifestSchedule {
    /// The time without events before a change is read.
    static let quietPeriod = Duration.milliseconds(10)
    /// The longest time that a burst of events can delay reading.
    static let maximumDelay = Duration.milliseconds(50)
    /// The time without a write after which a file is read although its writer has not closed it.
    static let writeTimeout = Duration.seconds(1)

    private var changed: Set<String> = []
    private var everything = false
    private var first: ContinuousClock.Instant?
    private var last: ContinuousClock.Instant?
    /// The files that are being written, with the time of the last write.
    private var writing: [String: ContinuousClock.Instant] = [:]

    /// The files that must not be read yet.
    var unsettled: Set<String> { Set(writing.keys) }

    /// Records events, in the order in which they happened.
    mutating func record(_ events: [DirectoryEvent], at now: ContinuousClock.Instant) {
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

    /// When files are due next; nil if none are.
    var deadline: ContinuousClock.Instant? {
        var deadlines = writing.values.map { $0 + ManifestSchedule.writeTimeout }
        if let first, let last { deadlines.append(min(first + ManifestSchedule.maximumDelay, last + ManifestSchedule.quietPeriod)) }
        return deadlines.min()
    }

    /// Returns the files to read now, and whether all changed files are to be read.
    ///
    /// An empty file that has not been closed is not due: its writer is about to fill it.
    mutating func due(at now: ContinuousClock.Instant, isEmpty: (String) -> Bool) -> (files: Set<String>, everything: Bool) {
        var files: Set<String> = []
        for (name, time) in writing where time + ManifestSchedule.writeTimeout <= now {
            if isEmpty(name) {
                writing[name] = now
            } else {
                writing[name] = nil
                files.insert(name)
            }
        }
        guard let first, let last, min(first + ManifestSchedule.maximumDelay, last + ManifestSchedule.quietPeriod) <= now else {
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
