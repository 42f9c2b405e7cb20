internal import Kubernetes

/// Decides which events are sent and when: counts repetitions, limits the events of an object, and bounds their total number.
///
/// It uses neither clock nor connection: the caller asks for the `next` step and reports its result, one request at a time. The rules are
/// those of client-go's `tools/events/event_broadcaster.go`, and for the limits of `tools/record/events_cache.go`.
struct EventQueue {
    private let settings: EventSettings
    private var series: [EventKey: EventSeries] = [:]
    /// The events to send, in order: about the node itself, and about objects that users create.
    private var nodeQueue: [EventKey] = []
    private var objectQueue: [EventKey] = []
    private var objects: ObjectLimits
    private var bucket: TokenBucket
    private var backoff: Backoff
    /// Nothing is sent before this time.
    private var notBefore: Duration = .zero
    /// Whether a token for the next request has been taken.
    private var hasToken = false
    /// No series is due before this.
    private var nextDue: Duration = .zero
    private var dropped = 0
    private var reportedAt: Duration?
    private var isEnding = false

    init(_ settings: EventSettings) {
        self.settings = settings
        objects = ObjectLimits(settings)
        bucket = TokenBucket(qps: settings.qps, burst: settings.burst)
        backoff = Backoff(minimum: settings.minimumDelay, maximum: settings.maximumDelay)
    }

    /// The number of events held.
    var count: Int { series.count }

    /// Whether an event is waiting to be sent.
    var isWaiting: Bool { !nodeQueue.isEmpty || !objectQueue.isEmpty }

    /// Records an event; returns whether that changes the next step.
    mutating func record(_ event: ClusterEvent, at now: Duration, using generator: inout some RandomNumberGenerator) -> Bool {
        let key = EventKey(event)
        if let held = series[key], !held.isOver(at: now, settings) || held.isPending {
            series[key]?.repeated(at: now)
            return enqueueIfDue(key, at: now) || isDueEarlier(key)
        }
        series[key] = nil
        guard EventName.isUsable(event.regarding), hasRoom(for: event.regarding), objects.allows(event.regarding, at: now) else {
            dropped += 1
            return false
        }
        series[key] = EventSeries(event, id: generator.next(), at: now)
        append(key)
        return true
    }

    /// Returns the next step. A delivery is pending until `delivered` or `failed` is called for it.
    mutating func next(at now: Duration) -> EventStep {
        sweep(at: now)
        guard isWaiting else {
            if isEnding || series.isEmpty { return .wait(nil) }
            return .wait(nextDue - now)
        }
        if !hasToken {
            notBefore = max(notBefore, now + bucket.take(at: now))
            hasToken = true
        }
        guard now >= notBefore else { return .wait(notBefore - now) }
        hasToken = false
        let key = nodeQueue.isEmpty ? objectQueue.removeFirst() : nodeQueue.removeFirst()
        // Queued events are always held.
        guard let held = series[key] else { return .wait(.zero) }
        return .send(EventDelivery(method: held.isCreated ? .patch : .create, key: key, series: held))
    }

    /// Records that the server accepted the event.
    mutating func delivered(_ delivery: EventDelivery, at now: Duration) {
        backoff.reset()
        settle(delivery, isCreated: true, at: now)
    }

    /// Records that the request failed.
    mutating func failed(
        _ delivery: EventDelivery, _ failure: EventFailure, at now: Duration, using generator: inout some RandomNumberGenerator
    ) {
        // Retries go to the end of their queue: the event may be at fault, not the server.
        switch failure {
        case .transient(let retryAfter):
            let delay = max(backoff.next(using: &generator), min(retryAfter ?? .zero, settings.maximumRetryAfter))
            notBefore = max(notBefore, now + delay)
            guard let tries = series[delivery.key]?.failed(), tries < settings.maximumTries else {
                dropped += 1
                return settle(delivery, isCreated: delivery.series.isCreated, at: now)
            }
            append(delivery.key)
        case .missing where delivery.method == .patch:
            backoff.reset()
            series[delivery.key]?.markMissing()
            append(delivery.key)
        case .missing, .refused:
            backoff.reset()
            settle(delivery, isCreated: delivery.series.isCreated, at: now)
        }
    }

    /// Prepares for shutdown: queues all counts that have not been reported.
    mutating func end() {
        isEnding = true
        for (key, held) in series where !held.isPending && held.isUnreported && held.isCreated { enqueueKey(key) }
    }

    /// Returns the number of events dropped since the last report; nil if no report is due.
    mutating func takeDropped(at now: Duration) -> Int? {
        guard dropped > 0 else { return nil }
        if let reportedAt, now - reportedAt < settings.reportInterval, !isEnding { return nil }
        defer { dropped = 0 }
        reportedAt = now
        return dropped
    }

    /// Whether there is room for one more event; some is reserved for events about the node.
    private func hasRoom(for object: ObjectReference) -> Bool {
        let reserve = object.namespace.isEmpty ? settings.maximumQueued / 10 : 0
        return series.count < settings.maximumQueued + reserve
    }

    private mutating func settle(_ delivery: EventDelivery, isCreated: Bool, at now: Duration) {
        series[delivery.key]?.settle(count: delivery.series.count, isCreated: isCreated, at: now)
        _ = isDueEarlier(delivery.key)
    }

    /// Queues the events that are due, and removes those that are over.
    private mutating func sweep(at now: Duration) {
        guard !isEnding, now >= nextDue else { return }
        var earliest: Duration?
        for (key, held) in series where !held.isPending {
            if held.isOver(at: now, settings) {
                series[key] = nil
            } else if !enqueueIfDue(key, at: now) {
                let due = held.due(settings)
                earliest = min(earliest ?? due, due)
            }
        }
        nextDue = earliest ?? now + settings.seriesTimeout
    }

    /// Whether a series is due before all others; updates `nextDue`.
    private mutating func isDueEarlier(_ key: EventKey) -> Bool {
        guard let held = series[key], !held.isPending, held.due(settings) < nextDue else { return false }
        nextDue = held.due(settings)
        return true
    }

    private mutating func enqueueIfDue(_ key: EventKey, at now: Duration) -> Bool {
        guard let held = series[key], !held.isPending, held.isUnreported, now >= held.due(settings) else { return false }
        enqueueKey(key)
        return true
    }

    private mutating func enqueueKey(_ key: EventKey) {
        series[key]?.isPending = true
        append(key)
    }

    private mutating func append(_ key: EventKey) {
        if key.regarding.namespace.isEmpty { nodeQueue.append(key) } else { objectQueue.append(key) }
    }
}

/// The next step for events.
enum EventStep: Hashable {
    case send(EventDelivery)
    /// Wait for this long or until an event is recorded; nil if only a new event matters.
    case wait(Duration?)
}

/// Why a request about an event failed.
enum EventFailure: Hashable {
    /// The server was unreachable, failed or was overloaded; a retry may succeed.
    case transient(retryAfter: Duration?)
    /// The server does not have the event whose count was sent.
    case missing
    /// The server rejected it.
    case refused
}

/// One request about an event.
struct EventDelivery: Hashable {
    enum Method: Hashable {
        /// Creates the event, with its count if greater than one.
        case create
        /// Updates the count.
        case patch
    }

    var method: Method
    var key: EventKey
    /// The event as it was when the delivery began.
    var series: EventSeries
}

extension APIError {
    /// Returns the failure of a delivery; nil if the server is assumed to have accepted it.
    func eventFailure(of delivery: EventDelivery) -> EventFailure? {
        switch self {
        // Only successful responses are decoded.
        case .unreadable: nil
        case .access, .unreachable, .transport, .timedOut, .cancelled: .transient(retryAfter: nil)
        case .status(let status): status.eventFailure(of: delivery)
        }
    }
}

extension APIStatus {
    fileprivate func eventFailure(of delivery: EventDelivery) -> EventFailure? {
        switch code {
        case 404 where delivery.method == .patch: .missing
        // A previous attempt succeeded, and only its response was lost.
        case 409 where delivery.method == .create && reason == "AlreadyExists": nil
        case 408, 429, 500...: .transient(retryAfter: retryAfterSeconds.map { .seconds($0) })
        default: .refused
        }
    }
}
