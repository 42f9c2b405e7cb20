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
    private(set) var told = 0
    /// When it was told.
    private(set) var toldAt: Duration = .zero
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

    var isUntold: Bool { count > told }

    mutating func repeated(at now: Duration) {
        count += 1
        last = max(last, now)
    }

    /// The server has taken `count`, or has refused the series and is left alone with it for a while.
    mutating func settle(count: Int, isCreated: Bool, at now: Duration) {
        told = count
        toldAt = now
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
        guard isUntold else { return end }
        // The first repetition is news; the following ones are a number.
        if isCreated, told == 1 { return toldAt }
        return min(end, toldAt + settings.refresh)
    }

    /// Whether nobody needs it any more: over, and told as far as the server wants to hear it.
    func isOver(at now: Duration, _ settings: EventSettings) -> Bool {
        now >= last + settings.silence && !(isUntold && isCreated)
    }
}
