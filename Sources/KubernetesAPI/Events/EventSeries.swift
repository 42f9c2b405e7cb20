internal import Kubernetes

/// An event, how often it happened, and what the server knows of that. Times are since the start.
struct EventSeries: Hashable {
    /// The first; the note of those that followed is not told.
    let event: ClusterEvent
    /// Tells it from all others, in its name.
    let id: UInt64
    let first: Duration
    private(set) var last: Duration
    private(set) var count = 1
    /// Whether the server has it.
    private(set) var isCreated = false
    /// The count that the server knows, or refused to know.
    private(set) var reported = 0
    /// When it was told.
    private(set) var reportedAt: Duration = .zero
    /// Whether it waits to be sent or is being sent.
    var isUnderWay = true
    /// How often it has been tried in vain since it was last settled.
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

    /// The server has taken `count`, or has refused the series and is left alone with it for a while.
    mutating func settle(count: Int, isCreated: Bool, at now: Duration) {
        reported = count
        reportedAt = now
        self.isCreated = isCreated
        isUnderWay = false
        tries = 0
    }

    /// The server does not have it any more.
    mutating func forget() { isCreated = false }

    /// A try failed; returns how many there have been.
    mutating func failed() -> Int {
        tries += 1
        return tries
    }

    /// When something has to be done about it, by itself: tell the count, or let go of it.
    func due(_ settings: EventSettings) -> Duration {
        let end = last + settings.silence
        guard isUnreported else { return end }
        // The first repetition is news; the following ones are a number.
        if isCreated, reported == 1 { return reportedAt }
        return min(end, reportedAt + settings.refresh)
    }

    /// Whether nobody needs it any more: over, and told as far as the server wants to hear it.
    func isOver(at now: Duration, _ settings: EventSettings) -> Bool {
        now >= last + settings.silence && !(isUnreported && isCreated)
    }
}

/// What makes two events the same but for their number: all but the note, which may differ.
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

/// What events are called, and in which namespace they are. Names come from objects that may not be what they should.
enum EventName {
    /// As long as the API allows a name to be.
    private static let limit = NameSyntax.subdomainLimit

    /// Whether an event about an object can be put anywhere; its namespace becomes part of a path.
    static func isUsable(_ object: ObjectReference) -> Bool {
        !object.name.isEmpty && object.name.utf8.count <= limit && (object.namespace.isEmpty || NameSyntax.isLabel(object.namespace))
    }

    /// The namespace of an event: that of the object, or `default` for an object that has none.
    static func namespace(for object: ObjectReference) -> String { object.namespace.isEmpty ? "default" : object.namespace }

    /// `web.6f2c0a9be1d34c58`: the object's name and what tells the event from all others.
    static func name(for object: ObjectReference, id: UInt64) -> String {
        let hex = String(id, radix: 16)
        let suffix = String(repeating: "0", count: 16 - hex.utf8.count) + hex
        var base = NameSyntax.isSubdomain(object.name) ? object.name : "kube-proxy"
        base = String(base.prefix(limit - 1 - suffix.utf8.count))
        while base.hasSuffix("-") || base.hasSuffix(".") { base.removeLast() }
        return "\(base).\(suffix)"
    }
}
