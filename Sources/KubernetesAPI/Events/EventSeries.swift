internal import Kubernetes

/// An event, its number of occurrences, and what the server knows of them. Times are since the start.
struct EventSeries: Hashable {
    /// The first occurrence; the notes of later ones are not sent.
    let event: ClusterEvent
    /// Makes the name of the event unique.
    let id: UInt64
    let first: Duration
    private(set) var last: Duration
    private(set) var count = 1
    /// Whether the server has the event.
    private(set) var isCreated = false
    /// The count that the server has accepted or rejected.
    private(set) var reported = 0
    /// When the count was reported.
    private(set) var reportedAt: Duration = .zero
    /// Whether it is queued or being sent.
    var isPending = true
    /// The number of failed attempts since it was last settled.
    private(set) var tries = 0

    init(_ event: ClusterEvent, id: UInt64, at now: Duration) {
        self.event = event
        self.id = id
        first = now
        last = now
    }

    var isUnreported: Bool { count > reported }

    mutating func repeated(at now: Duration) {
        count += 1
        last = max(last, now)
    }

    /// Records that the server has accepted `count`, or has rejected the series, which is then not sent for a while.
    mutating func settle(count: Int, isCreated: Bool, at now: Duration) {
        reported = count
        reportedAt = now
        self.isCreated = isCreated
        isPending = false
        tries = 0
    }

    /// Records that the server no longer has the event.
    mutating func markMissing() { isCreated = false }

    /// Records a failed attempt; returns the number of attempts.
    mutating func failed() -> Int {
        tries += 1
        return tries
    }

    /// When the series needs attention without a new occurrence: to report its count, or to be removed.
    func due(_ settings: EventSettings) -> Duration {
        let end = last + settings.seriesTimeout
        guard isUnreported else { return end }
        // The first repetition is reported at once; later ones only update the count.
        if isCreated, reported == 1 { return reportedAt }
        return min(end, reportedAt + settings.refresh)
    }

    /// Whether the series can be removed: it is over, and its count is reported.
    func isOver(at now: Duration, _ settings: EventSettings) -> Bool {
        now >= last + settings.seriesTimeout && !(isUnreported && isCreated)
    }
}

/// The identity of an event: everything except the note, which may differ between repetitions.
struct EventKey: Hashable {
    var type: ClusterEvent.EventType
    var reason: String
    var action: String
    var regarding: ObjectReference

    init(_ event: ClusterEvent) {
        type = event.type
        reason = event.reason
        action = event.action
        regarding = event.regarding
    }
}

/// The names and namespaces of events. They derive from the names of objects, which may be invalid.
enum EventName {
    /// The API's limit on the length of a name.
    private static let limit = NameSyntax.subdomainLimit

    /// Whether an event about the object can be created; the namespace becomes part of a URL path.
    static func isUsable(_ object: ObjectReference) -> Bool {
        !object.name.isEmpty && object.name.utf8.count <= limit && (object.namespace.isEmpty || NameSyntax.isLabel(object.namespace))
    }

    /// Returns the namespace of an event: that of the object, or `default` for an object without one.
    static func namespace(for object: ObjectReference) -> String { object.namespace.isEmpty ? "default" : object.namespace }

    /// `web.6f2c0a9be1d34c58`: the object's name and a unique suffix.
    static func name(for object: ObjectReference, id: UInt64) -> String {
        let hex = String(id, radix: 16)
        let suffix = String(repeating: "0", count: 16 - hex.utf8.count) + hex
        var base = NameSyntax.isSubdomain(object.name) ? object.name : "kube-proxy"
        base = String(base.prefix(limit - 1 - suffix.utf8.count))
        while base.hasSuffix("-") || base.hasSuffix(".") { base.removeLast() }
        return "\(base).\(suffix)"
    }
}
