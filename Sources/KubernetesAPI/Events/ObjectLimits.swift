internal import Kubernetes

/// A limit on events for each object that they are about, so that one object cannot crowd out the others; bounded in memory.
struct ObjectLimits: Hashable {
    private struct Entry: Hashable {
        var bucket: TokenBucket
        var used: Duration
    }

    /// The number of objects in client-go; beyond it, the limits of the least recently used objects are reset.
    static let capacity = 4096

    private let full: TokenBucket
    private var entries: [ObjectReference: Entry] = [:]

    var count: Int { entries.count }

    init(_ settings: EventSettings) {
        full = TokenBucket(qps: .seconds(1) / settings.objectRefill, burst: settings.objectBurst)
    }

    /// Whether the object may have another event now.
    mutating func allows(_ object: ObjectReference, at now: Duration) -> Bool {
        var entry = entries[object] ?? Entry(bucket: full, used: now)
        let isAllowed = entry.bucket.takeIfAvailable(at: now)
        entry.used = now
        entries[object] = entry
        if entries.count > ObjectLimits.capacity { removeOldest() }
        return isAllowed
    }

    /// Removes half at a time, so that this is rare.
    private mutating func removeOldest() {
        let newest = entries.sorted { $0.value.used > $1.value.used }.prefix(ObjectLimits.capacity / 2)
        entries = Dictionary(uniqueKeysWithValues: newest.map { ($0.key, $0.value) })
    }
}
